"""The engines that are configured, and whether they and their models are well."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from windmill.core.errors import ERROR_CODES, Code, WindmillError
from windmill.engines.engine import EngineHealth
from windmill.engines.entries import AudioEntry, BuiltinEntry, EngineEntry, FleetEntry, HttpEntry, ProcessEntry
from windmill.engines.guard import GuardedEngine
from windmill.engines.models import ModelFinding, check_models
from windmill.engines.registry import open_engines
from windmill.kernels.text.printable import render_printable
from windmill.kernels.text.tables import render_table


@dataclass(frozen=True)
class EngineReport:
    """One engine: whether it can work, and what is wrong with its models."""

    name: str
    kind: str
    health: EngineHealth
    models: Sequence[ModelFinding]

    @property
    def codes(self) -> list[Code]:
        """The codes of what is wrong."""
        unwell: list[Code] = [] if self.health.ok else [_unwell(self.kind)]
        return [*unwell, *(finding.code for finding in self.models if finding.code)]


async def check_engines(entries: dict[str, EngineEntry], name: str | None = None) -> list[EngineReport]:
    """The reports of all engines, or of one."""
    if name is not None and name not in entries:
        raise WindmillError("NOT_FOUND", f"there is no engine {name!r}", f"known: {', '.join(entries)}")
    chosen = {name: entries[name]} if name is not None else entries
    async with open_engines(chosen) as engines:
        return list(await asyncio.gather(*(_report(engines[one], entry) for one, entry in chosen.items())))


def exit_code_of(reports: Iterable[EngineReport]) -> int:
    """0 if all is well, else the exit code of the first code."""
    return next((ERROR_CODES[code].exit_code for report in reports for code in report.codes), 0)


async def _report(engine: GuardedEngine, entry: EngineEntry) -> EngineReport:
    health = await engine.check()
    installed: list[str] | None = None
    if health.ok and entry.models and not entry.models_folder:
        installed = await _installed(engine, {PurePath(model.file).parent.as_posix() for model in entry.models})
    findings = await asyncio.to_thread(check_models, entry, installed)
    return EngineReport(engine.name, engine.kind, health, findings)


async def _installed(engine: GuardedEngine, folders: Iterable[str]) -> list[str] | None:
    lists = [await engine.models(folder) for folder in sorted(folders)]
    known = [name for names in lists if names is not None for name in names]
    return known if any(names is not None for names in lists) else None


def _unwell(kind: str) -> Code:
    return "PROCESS_NOT_STARTED" if kind == "process" else "ENGINE_OFFLINE"


def address_of(entry: EngineEntry) -> str:
    """Where its work is done."""
    if isinstance(entry, BuiltinEntry):
        return "this program"
    if isinstance(entry, AudioEntry):
        return entry.model or "models of the extra audio"
    if isinstance(entry, FleetEntry):
        return "the queues of services"
    if isinstance(entry, HttpEntry) and entry.urls:
        return " ".join(map(str, entry.urls))
    return " ".join(entry.command) if isinstance(entry, ProcessEntry) else str(entry.url)


def kind_of(entry: EngineEntry) -> str:
    """The word for its kind in SERVICE_CONFIG."""
    return type(entry).__name__.removesuffix("Entry").lower()


def render_engines_text(entries: dict[str, EngineEntry]) -> str:
    rows = [
        (name, kind_of(one), one.concurrency, f"{one.timeout_seconds:g}", address_of(one))
        for name, one in entries.items()
    ]
    return render_table(("engine", "kind", "at once", "seconds", "where"), rows)


def render_engines_json(entries: dict[str, EngineEntry]) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "kind": kind_of(one),
            "concurrency": one.concurrency,
            "timeout_seconds": one.timeout_seconds,
            "where": address_of(one),
            "models": [model.file for model in one.models],
        }
        for name, one in entries.items()
    ]


def render_reports_text(reports: Iterable[EngineReport]) -> str:
    """One line for each engine and each of its models, with the remedy below what is wrong."""
    return "".join(f"{line}\n" for report in reports for line in _lines(report))


def _lines(report: EngineReport) -> Iterable[str]:
    state = "ok" if report.health.ok else _unwell(report.kind)
    yield f"{report.name}: {state}: {render_printable(report.health.says)}"
    if not report.health.ok:
        yield f"  remedy: {ERROR_CODES[_unwell(report.kind)].remedy}"
    for finding in report.models:
        yield f"  {finding.file}: {finding.code or 'ok'}: {finding.says}"
        if finding.remedy:
            yield f"    remedy: {finding.remedy}"


def render_reports_json(reports: Sequence[EngineReport]) -> dict[str, Any]:
    engines = [
        {
            "name": report.name,
            "kind": report.kind,
            "ok": not report.codes,
            "says": report.health.says,
            "facts": dict(report.health.facts),
            "codes": report.codes,
            "models": [
                {"file": one.file, "code": one.code, "says": one.says, "remedy": one.remedy} for one in report.models
            ],
        }
        for report in reports
    ]
    return {"ok": not any(report.codes for report in reports), "engines": engines}
