"""What has happened to a job, in words. Pure."""

from collections.abc import Callable, Mapping
from typing import Any

Data = Mapping[str, Any]


def event_words(kind: str, data: Data) -> str:
    """A sentence without its subject, which is the job, or the step and the shard of the event."""
    words = _WORDS.get(kind)
    return words(data) if words else _plain(kind, data)


def _plain(kind: str, data: Data) -> str:
    told = ", ".join(f"{name} {value}" for name, value in data.items() if value not in (None, "", []))
    return kind.replace("_", " ") + (f": {told}" if told else "")


def _why(data: Data) -> str:
    return ": ".join(str(part) for part in (data.get("error_code"), data.get("message")) if part)


def _after(said: str, data: Data) -> str:
    why = _why(data)
    return f"{said}: {why}" if why else said


def _seconds(data: Data) -> str:
    ran = data.get("ran")
    return f"{ran:.3g} s" if isinstance(ran, int | float) else "?"


def _requeued(data: Data) -> str:
    said = "its worker was lost" if data.get("lost") else f"try {data.get('attempt', '?')} failed"
    return f"{_after(said, data)}; it waits again"


def _progress(data: Data) -> str:
    share = data.get("progress")
    return f"{share:.0%} done" if isinstance(share, int | float) else "goes on"


def _shards(data: Data) -> str:
    number, failed = data.get("shards", "?"), data.get("failed") or 0
    return f"done: {number} {'shard' if number == 1 else 'shards'}" + (f", {failed} failed" if failed else "")


def _paused(data: Data) -> str:
    said = f"paused by {data.get('by') or 'somebody'}"
    return f"{said}: {data['reason']}" if data.get("reason") else said


_WORDS: Mapping[str, Callable[[Data], str]] = {
    "queued": lambda _: "made, and waits",
    "started": lambda _: "started",
    "step_started": lambda _: "begins",
    "step_succeeded": _shards,
    "task_succeeded": lambda data: f"done in {_seconds(data)}",
    "task_requeued": _requeued,
    "task_failed": lambda data: _after("failed", data),
    "task_cancelled": lambda _: "cancelled",
    "task_waits": lambda _: "waits for answers, without a slot",
    "progress": _progress,
    "paused": _paused,
    "resumed": lambda data: f"resumed by {data.get('by') or 'somebody'}",
    "priority": lambda data: f"has priority {data.get('priority')} from now on",
    "cancelling": lambda data: _after(f"ends as {data.get('ends_as')}", data),
    "warning": lambda data: str(data.get("message") or "warning"),
    "rerun": lambda data: f"runs again from {data.get('step')} on",
    "succeeded": lambda _: "succeeded",
    "failed": lambda data: _after("failed", data),
    "cancelled": lambda data: _after("cancelled", data),
    "expired": lambda data: _after("expired", data),
}
