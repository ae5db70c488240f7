"""What the commands on failed jobs print: for people and as JSON."""

import shutil
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from windmill.kernels.text.tables import render_table
from windmill.operate.failed.failed_queues import Kind, Survey
from windmill.operate.failed.parked import Parked

MOST_BODY = 4096


@dataclass(frozen=True)
class Outcome:
    """What a redrive or a purge did, or would do; `kept` is None where nothing was walked."""

    verb: str
    counts: Counter[Kind]
    kept: int | None
    dry_run: bool
    interrupted: bool


def survey_text(found: Survey, jobs: Sequence[Parked], width: int | None = None) -> str:
    text = f"{_listing(jobs, width or shutil.get_terminal_size((200, 50)).columns)}\n" if jobs else ""
    total = found.counts.total()
    shown = f", {len(jobs):,} are shown (--limit)" if 0 < len(jobs) < total else ""
    return f"{text}{_summary(found.counts)}{total:,} jobs{shown}\n"


def _listing(jobs: Sequence[Parked], width: int) -> str:
    """Reasons stand last and are cut where the line ends."""
    headings = ["service", "image", "code", "attempts", "failed at", "redriven"]
    rows = [[one.service, _plain(one.image_id), one.code, one.attempt, _moment(one), one.redriven] for one in jobs]
    lines = render_table(headings, rows).splitlines()
    reasons = ["reason", *(printable(one.reason) for one in jobs)]
    return "".join(
        f"{line.ljust(len(max(lines, key=len)))}  {reason}"[:width].rstrip() + "\n"
        for line, reason in zip(lines, reasons, strict=True)
    )


def _plain(number: int | None) -> str | None:
    """Ids are names, not amounts: without separators."""
    return None if number is None else str(number)


def _moment(one: Parked) -> str | None:
    return one.failed_at.isoformat(timespec="seconds") if one.failed_at else None


def printable(text: str) -> str:
    """In one line, and without what would command a terminal."""
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in " ".join(text.split()))


def _summary(counts: Counter[Kind]) -> str:
    rows = [[service, code, count] for (service, code), count in counts.items()]
    return render_table(["service", "code", "jobs"], rows) if rows else ""


def _summary_json(counts: Counter[Kind]) -> list[dict[str, object]]:
    return [{"service": service, "code": code, "jobs": count} for (service, code), count in counts.items()]


def survey_json(found: Survey, jobs: Iterable[Parked]) -> dict[str, object]:
    return {
        "jobs": [_job_json(one) for one in jobs],
        "summary": _summary_json(found.counts),
        "queues": [
            {"service": service, "held": held, "looked_at": found.looked_at[service]}
            for service, held in found.held.items()
        ],
    }


def _job_json(one: Parked) -> dict[str, object]:
    return {
        "service": one.service,
        "image_id": one.image_id,
        "code": one.code,
        "attempts": one.attempt,
        "failed_at": _moment(one),
        "redriven": one.redriven,
        "worker": one.worker,
        "reason": one.reason,
    }


def job_entries(jobs: Sequence[Parked], rows: Sequence[Mapping[str, Any]]) -> list[dict[str, object]]:
    """Everything about parked jobs; `rows` are those of their image in `results`."""
    by_service = {row["service"]: row for row in rows}
    return [
        _job_json(one)
        | {
            "remedy": one.remedy,
            "headers": {name: _jsonable(value) for name, value in one.headers.items()},
            "body": body_json(one.body),
            "result": {name: _jsonable(value) for name, value in by_service.get(one.service, {}).items()} or None,
        }
        for one in jobs
    ]


def body_json(body: bytes) -> object:
    """The document that a body is, else its beginning as text."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return body[:MOST_BODY].decode("utf-8", "backslashreplace")


def _jsonable(value: object) -> object:
    """Headers may be anything that AMQP knows."""
    if isinstance(value, Mapping):
        return {str(name): _jsonable(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_jsonable(inner) for inner in value]
    if isinstance(value, bytes | bytearray):
        return bytes(value).decode("utf-8", "backslashreplace")
    return value if value is None or isinstance(value, str | bool | int | float) else str(value)


def entries_text(entries: Iterable[Mapping[str, object]]) -> str:
    return "\n".join("".join(_line(name, value) for name, value in entry.items()) for entry in entries)


def _line(name: str, value: object, indent: str = "") -> str:
    if isinstance(value, dict):
        inner = "".join(_line(key, one, indent + "  ") for key, one in value.items())
        return f"{indent}{name}:\n{inner}"
    shown = "-" if value is None else value if isinstance(value, str) else orjson.dumps(value).decode()
    return f"{indent}{name}: {printable(shown)}\n"


def outcome_json(outcome: Outcome) -> dict[str, object]:
    return {
        "jobs": outcome.counts.total(),
        "summary": _summary_json(outcome.counts),
        "kept": outcome.kept,
        "dry_run": outcome.dry_run,
        "interrupted": outcome.interrupted,
    }


def outcome_text(outcome: Outcome) -> str:
    done = {"redrive": "redrove", "purge": "purged"}[outcome.verb]
    said = f"would {outcome.verb}" if outcome.dry_run else done
    text = f"{_summary(outcome.counts)}{said} {outcome.counts.total():,} jobs\n"
    if outcome.verb == "purge":
        text += "their rows in results stay\n"
    return text + ("interrupted; the same command does the rest\n" if outcome.interrupted else "")
