"""Two jobs side by side, such as a fork and its original: what was asked for differently, and what came of it."""

import asyncio
import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from windmill.core.setting_parts import DatabaseSettings
from windmill.operate.jobs.details import show_details
from windmill.operate.jobs.shown import Shown

Pair = list[Any]
"""What the one has, and what the other has; None where it has nothing."""
_OF_JOB = ("kind", "preset", "preset_version", "status", "error_code", "message", "forked_from", "priority")
_OF_STEP = ("step", "version", "status", "skip_reason", "planned", "failed", "models")


async def compare_jobs(settings: DatabaseSettings, left: uuid.UUID, right: uuid.UUID) -> Shown:
    """Both of them, read at the same time; raises NOT_FOUND."""
    return compare(*await asyncio.gather(show_details(settings, left), show_details(settings, right)))


def compare(left: Shown, right: Shown) -> Shown:
    """The differences of two jobs as `show_details` tells them; of times and files all is told."""
    return {
        "jobs": [left["public_id"], right["public_id"]],
        "differs": _differences({name: left[name] for name in _OF_JOB}, {name: right[name] for name in _OF_JOB}),
        "inputs": _differences(left["inputs"], right["inputs"]),
        "parameters": _differences(left["parameters"], right["parameters"]),
        "seconds": [_seconds(left), _seconds(right)],
        "cost_seconds": [left["cost_seconds"], right["cost_seconds"]],
        "steps": _steps(_by_name(left["steps"]), _by_name(right["steps"])),
        "artifacts": _files(_by_place(left["artifacts"]), _by_place(right["artifacts"])),
    }


def _differences(left: Mapping[str, Any], right: Mapping[str, Any]) -> dict[str, Pair]:
    names = dict.fromkeys([*left, *right])
    pairs = {name: [left.get(name), right.get(name)] for name in names}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def _seconds(job: Shown) -> float | None:
    """From the start to the end; None for one that has not ended."""
    if not job["started_at"] or not job["ended_at"]:
        return None
    took = datetime.fromisoformat(job["ended_at"]) - datetime.fromisoformat(job["started_at"])
    return round(took.total_seconds(), 3)


def _by_name(steps: Sequence[Shown]) -> dict[str, Shown]:
    return {step["name"]: step for step in steps}


def _steps(left: Mapping[str, Shown], right: Mapping[str, Shown]) -> list[Shown]:
    return [_step(name, left.get(name, {}), right.get(name, {})) for name in dict.fromkeys([*left, *right])]


def _step(name: str, left: Shown, right: Shown) -> Shown:
    def asked(step: Shown) -> dict[str, Any]:
        engines = [one["engine"] for one in step.get("engines", ())]
        return {**{key: step.get(key) for key in _OF_STEP}, "used engines": engines, **step.get("parameters", {})}

    differs = _differences(asked(left), asked(right))
    return {"name": name, "differs": differs, "ran": [left.get("ran"), right.get("ran")]}


def _by_place(files: Sequence[Shown]) -> dict[tuple[str, int, str], Shown]:
    return {(file["step"] or "(given)", file["shard"], file["name"]): file for file in files}


def _files(left: Mapping[tuple[str, int, str], Shown], right: Mapping[tuple[str, int, str], Shown]) -> list[Shown]:
    return [_file(place, left.get(place), right.get(place)) for place in dict.fromkeys([*left, *right])]


def _file(place: tuple[str, int, str], left: Shown | None, right: Shown | None) -> Shown:
    step, shard, name = place
    both = [one and {"sha256": one["sha256"], "bytes": one["bytes"]} for one in (left, right)]
    equal = bool(left and right and left["sha256"] == right["sha256"])
    return {"step": step, "shard": shard, "name": name, "files": both, "equal": equal}
