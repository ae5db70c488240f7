"""All about one job, and two jobs side by side, as text for a terminal."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from windmill.kernels.text.printable import shorten
from windmill.kernels.text.tables import render_table
from windmill.operate.jobs.render import render_events, render_job
from windmill.operate.jobs.shown import Shown

_WIDE = 60
_SECTIONS = ("inputs", "parameters", "consents", "failed_shards", "artifacts", "events", "versions")


def render_details(job: Shown) -> str:
    """What is in the document of `show_details`, but for the parameters of steps: those are for programs."""
    parts = [render_job({name: value for name, value in job.items() if name not in _SECTIONS})]
    parts += _section("inputs", (f"{name}: {_plain(value)}" for name, value in job["inputs"].items()))
    parts += _section("consents", (_consent(one) for one in job["consents"]))
    parts += _section("engines", _engines(job))
    parts += _section("failed shards", (_failed(one) for one in job["failed_shards"]))
    parts += _section(
        "files", (f"{one['step'] or '(given)'}: {one['name']} {one['sha256']}" for one in job["artifacts"])
    )
    parts += ["\nlast events\n", render_events(job["events"])]
    return "".join(parts)


def _section(title: str, lines: Iterator[str]) -> list[str]:
    found = [f"  {line}\n" for line in lines]
    return [f"\n{title}\n", *found] if found else []


def _consent(one: Shown) -> str:
    return f'"{one["text"]}", because {one["reason"]}: confirmed by {one["given_by"]} at {one["given_at"][:19]}'


def _engines(job: Shown) -> Iterator[str]:
    for step in job["steps"]:
        for one in step["engines"]:
            models = f" with {', '.join(step['models'])}" if step["models"] else ""
            yield f"{step['name']}: {one['engine']}{models}, {one['shards']} shard(s)"


def _failed(one: Shown) -> str:
    return f"{one['step']} {one['shard']}: {one['error_code']}: {one['message']} (try {one['tries']}, {one['worker']})"


def render_comparison(found: Mapping[str, Any]) -> str:
    """What differs first, then times and files."""
    rows: list[tuple[object, ...]] = [("job", *found["jobs"])]
    rows += [(name, *map(_plain, pair)) for name, pair in found["differs"].items()]
    for group in ("inputs", "parameters"):
        rows += [(f"{group}.{name}", *map(_plain, pair)) for name, pair in found[group].items()]
    for step in found["steps"]:
        rows += [(f"{step['name']}: {name}", *map(_plain, pair)) for name, pair in step["differs"].items()]
    rows += [("seconds", *found["seconds"]), ("cost in seconds", *found["cost_seconds"])]
    rows += [(f"{step['name']}: ran s", *step["ran"]) for step in found["steps"]]
    files = [
        (f"{one['step']}/{one['shard']}/{one['name']}", *map(_digest, one["files"]), "equal" if one["equal"] else "")
        for one in found["artifacts"]
    ]
    text = render_table(("", "one", "other"), rows)
    return text + ("\n" + render_table(("file", "one", "other", ""), files) if files else "")


def _digest(file: Shown | None) -> str | None:
    return f"{file['sha256'][:12]} {file['bytes']:,}" if file else None


def _plain(value: object) -> str | None:
    if value is None:
        return None
    return shorten(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False), _WIDE)
