"""Dead letters, and what was done with them, as text and as JSON."""

import shutil
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import orjson

from windmill import broker
from windmill.core.setting_parts import BrokerSettings
from windmill.kernels.text.printable import render_printable
from windmill.kernels.text.redaction import redact_document, redactor
from windmill.kernels.text.tables import render_table
from windmill.operate.dead_letters.dead_letter import DeadLetter, FailureKey
from windmill.operate.dead_letters.listing import DeadLetterListing, ImageDeadLetters
from windmill.operate.dead_letters.sweep import SweepOutcome

MOST_BODY = 4096
MOST_FILENAME = 40


def render_listing_text(found: DeadLetterListing, jobs: Sequence[DeadLetter], width: int | None = None) -> str:
    text = f"{_render_jobs(jobs, width or shutil.get_terminal_size((200, 50)).columns)}\n" if jobs else ""
    return text + render_totals(found, jobs)


def render_totals(found: DeadLetterListing, jobs: Sequence[DeadLetter]) -> str:
    """How many jobs there are by failure and in all, of which these are shown."""
    total = found.counts.total()
    shown = f", {len(jobs):,} are shown (--limit)" if 0 < len(jobs) < total else ""
    pictures = f" of {len(found.images):,} image{'' if len(found.images) == 1 else 's'}" if found.images else ""
    return f"{_render_counts(found.counts)}{total:,} jobs{pictures}{shown}\n"


def _render_jobs(jobs: Sequence[DeadLetter], width: int) -> str:
    """Reasons come last and are cut at the end of the line."""
    headings = ["service", "image", "file", "code", "attempts", "failed at", "redriven", "urgent"]
    rows = [
        [
            one.service,
            render_id(one.image_id),
            render_filename(one.image_filename),
            one.code,
            one.attempt,
            _render_failed_at(one),
            *_marks(one),
        ]
        for one in jobs
    ]
    lines = render_table(headings, rows).splitlines()
    redact = redactor()
    reasons = ["reason", *(render_printable(redact(one.reason)) for one in jobs)]
    return "".join(
        f"{line.ljust(len(max(lines, key=len)))}  {reason}"[:width].rstrip() + "\n"
        for line, reason in zip(lines, reasons, strict=True)
    )


def _marks(one: DeadLetter) -> list[object]:
    return [one.redriven, "yes" if one.urgent else None]


def render_id(number: int | None) -> str | None:
    """Without separators, so that it can be copied."""
    return None if number is None else str(number)


def render_filename(name: str | None) -> str | None:
    """Its end, which tells more than its beginning."""
    shown = render_printable(name or "")
    return shown if 0 < len(shown) <= MOST_FILENAME else f"...{shown[3 - MOST_FILENAME :]}" if shown else None


def _render_failed_at(one: DeadLetter) -> str | None:
    return one.failed_at.isoformat(timespec="seconds") if one.failed_at else None


def _render_counts(counts: Counter[FailureKey]) -> str:
    rows = [[service, code, count] for (service, code), count in counts.items()]
    return render_table(["service", "code", "jobs"], rows) if rows else ""


def _render_counts_json(counts: Counter[FailureKey]) -> list[dict[str, object]]:
    return [{"service": service, "code": code, "jobs": count} for (service, code), count in counts.items()]


def render_listing_json(found: DeadLetterListing, jobs: Iterable[DeadLetter]) -> dict[str, object]:
    return {
        "jobs": [_render_job_json(one) for one in jobs],
        "summary": _render_counts_json(found.counts),
        "images": len(found.images),
        "queues": [
            {"service": service, "held": held, "looked_at": found.looked_at[service]}
            for service, held in found.held.items()
        ],
    }


def render_unread(settings: BrokerSettings, found: DeadLetterListing) -> list[str]:
    """One line for each queue that was read in part only."""
    return [
        f"{broker.failed_queue(settings, service)} holds {held:,}; "
        f"looked at the first {found.looked_at[service]:,} (--scan)"
        for service, held in found.held.items()
        if held > found.looked_at[service]
    ]


def _render_job_json(one: DeadLetter) -> dict[str, object]:
    return {
        "service": one.service,
        "image_id": one.image_id,
        "image_filename": one.image_filename,
        "code": one.code,
        "attempts": one.attempt,
        "failed_at": _render_failed_at(one),
        "redriven": one.redriven,
        "urgent": one.urgent,
        "worker": one.worker,
        "reason": redactor()(one.reason),
    }


def render_details_json(found: ImageDeadLetters) -> list[dict[str, object]]:
    """Everything about each dead letter, with the row of its service in `results`. Passwords and tokens, which URLs may
    carry, are redacted: the message itself keeps them, and is redriven with them."""
    by_service = {row["service"]: row for row in found.results}
    entries = [
        _render_job_json(one)
        | {
            "remedy": one.remedy,
            "headers": {name: _render_value(value) for name, value in one.headers.items()},
            "body": render_body(one.body),
            "result": {name: _render_value(value) for name, value in by_service.get(one.service, {}).items()} or None,
        }
        for one in found.listing.jobs
    ]
    redacted: list[dict[str, object]] = redact_document(entries, redactor())
    return redacted


def render_body(body: bytes) -> object:
    """The JSON document in a body, else its beginning as text."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return body[:MOST_BODY].decode("utf-8", "backslashreplace")


def _render_value(value: object) -> object:
    """Headers may have any type that AMQP has."""
    if isinstance(value, Mapping):
        return {str(name): _render_value(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_render_value(inner) for inner in value]
    if isinstance(value, bytes | bytearray):
        return bytes(value).decode("utf-8", "backslashreplace")
    return value if value is None or isinstance(value, str | bool | int | float) else str(value)


def render_details_text(entries: Iterable[Mapping[str, object]]) -> str:
    return "\n".join("".join(_render_line(name, value) for name, value in entry.items()) for entry in entries)


def _render_line(name: str, value: object, indent: str = "") -> str:
    if isinstance(value, dict):
        inner = "".join(_render_line(key, one, indent + "  ") for key, one in value.items())
        return f"{indent}{name}:\n{inner}"
    shown = "-" if value is None else value if isinstance(value, str) else orjson.dumps(value).decode()
    return f"{indent}{name}: {render_printable(shown)}\n"


def render_sweep_json(outcome: SweepOutcome) -> dict[str, object]:
    return {
        "jobs": outcome.counts.total(),
        "summary": _render_counts_json(outcome.counts),
        "kept": outcome.kept,
        "dry_run": outcome.dry_run,
        "interrupted": outcome.interrupted,
    }


def render_sweep_text(outcome: SweepOutcome) -> str:
    done = {"redrive": "redrove", "purge": "purged"}[outcome.action]
    said = f"would {outcome.action}" if outcome.dry_run else done
    text = f"{_render_counts(outcome.counts)}{said} {outcome.counts.total():,} jobs\n"
    if outcome.action == "purge":
        text += "their rows in results stay\n"
    return text + ("interrupted; the same command does the rest\n" if outcome.interrupted else "")
