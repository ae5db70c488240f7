"""One dead letter: why, when and how often its job failed, and whether a filter selects it.

A worker sends a job to the failed queue with headers `windmill-code`, `-reason`, `-worker` and `-failed-at`. The broker
does it for jobs that killed workers; these have only its header `x-death`, and get the code WORKER_LOST.
"""

from collections.abc import Mapping, Set
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

from windmill.core.errors import ERROR_CODES
from windmill.core.messages import (
    ATTEMPT_HEADER,
    CODE_HEADER,
    FAILED_AT_HEADER,
    HANDED_OUT_HEADER,
    OUTAGES_HEADER,
    REASON_HEADER,
    REDRIVEN_HEADER,
    TRIES_HEADER,
    URGENT_HEADER,
    WORKER_HEADER,
    headers_to_keep,
    history_of,
    is_urgent,
)
from windmill.core.services import URGENT_SUFFIX
from windmill.kernels.text.json_readers import parse_time

REASON_HEADERS = (CODE_HEADER, REASON_HEADER, WORKER_HEADER, FAILED_AT_HEADER)
_COUNTERS = (ATTEMPT_HEADER, TRIES_HEADER, OUTAGES_HEADER, HANDED_OUT_HEADER)


FailureKey = tuple[str, str | None]
"""A service and an error code."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One message of a failed queue; `image_id` and `code` are None where body and headers lack them."""

    service: str
    body: bytes
    headers: Mapping[str, Any]
    image_id: int | None
    code: str | None
    reason: str
    worker: str | None
    failed_at: datetime | None
    attempt: int
    redriven: int
    urgent: bool = False

    @property
    def image_filename(self) -> str | None:
        """The name of the file in the body, if the body has one."""
        try:
            document = orjson.loads(self.body)
        except orjson.JSONDecodeError:
            return None
        return _text(document.get("image_filename")) or None if isinstance(document, dict) else None

    @property
    def remedy(self) -> str | None:
        """The remedy of its error code."""
        return next((kind.remedy for code, kind in ERROR_CODES.items() if code == self.code), None)


def read_dead_letter(service: str, body: bytes, headers: dict[str, Any]) -> DeadLetter:
    """Read a message of a failed queue. Its body and headers may be anything."""
    said = headers if CODE_HEADER in headers else _from_death(headers)
    redriven = headers.get(REDRIVEN_HEADER)
    return DeadLetter(
        service=service,
        body=body,
        headers=headers,
        image_id=image_id_of(body),
        code=_text(said.get(CODE_HEADER)),
        reason=_text(said.get(REASON_HEADER)) or "",
        worker=_text(said.get(WORKER_HEADER)),
        failed_at=_moment(said.get(FAILED_AT_HEADER)),
        attempt=history_of(headers).attempt,
        redriven=redriven if isinstance(redriven, int) and redriven > 0 else 0,
        urgent=is_urgent(headers) or _died_in_urgent_queue(headers),
    )


def image_id_of(body: bytes) -> int | None:
    """The image id in a body, even if the rest of it is not a job."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    image_id = document.get("image_id") if isinstance(document, dict) else None
    return image_id if isinstance(image_id, int) and not isinstance(image_id, bool) else None


def _died_in_urgent_queue(headers: Mapping[str, Any]) -> bool:
    """Whether the broker parked the job out of an urgent queue: who published it may have set no header."""
    death = _newest_death(headers)
    return str(death.get("queue")).endswith(URGENT_SUFFIX)


def _newest_death(headers: Mapping[str, Any]) -> dict[str, Any]:
    """The newest entry of `x-death`, which comes first."""
    deaths = headers.get("x-death")
    return deaths[0] if isinstance(deaths, list) and deaths and isinstance(deaths[0], dict) else {}


def _from_death(headers: Mapping[str, Any]) -> dict[str, Any]:
    """The newest entry of `x-death` as the headers that a worker would have set."""
    death = _newest_death(headers)
    if not death:
        return {}
    why = f"the broker parked it: {death.get('reason')} in {death.get('queue')}"
    died = death.get("time")
    failed_at = died.astimezone(UTC).isoformat(timespec="seconds") if isinstance(died, datetime) else None
    said = {CODE_HEADER: "WORKER_LOST", REASON_HEADER: why, FAILED_AT_HEADER: failed_at}
    return {name: value for name, value in said.items() if value is not None}


def headers_to_stay(one: DeadLetter) -> dict[str, Any]:
    """The headers of its copy in the failed queue; what only `x-death` said moves to headers of ours."""
    said = {} if CODE_HEADER in one.headers else _from_death(one.headers)
    return headers_to_keep(dict(one.headers)) | said | _mark(one)


def headers_to_redrive(one: DeadLetter) -> dict[str, Any]:
    """The headers of its copy in the work queue: tries start again, and the number of redrives goes up."""
    forgotten = {*REASON_HEADERS, *_COUNTERS}
    kept = {name: value for name, value in headers_to_keep(dict(one.headers)).items() if name not in forgotten}
    return kept | _mark(one) | {REDRIVEN_HEADER: one.redriven + 1}


def _mark(one: DeadLetter) -> dict[str, Any]:
    return {URGENT_HEADER: True} if one.urgent else {}


@dataclass(frozen=True)
class DeadLetterFilter:
    """Which dead letters are selected; None selects all. A job without the value of a set filter is not selected."""

    codes: Set[str] | None = None
    image_ids: Set[int] | None = None
    failed_before: datetime | None = None
    failed_after: datetime | None = None

    def matches(self, one: DeadLetter) -> bool:
        return (
            (self.codes is None or one.code in self.codes)
            and (self.image_ids is None or one.image_id in self.image_ids)
            and (self.failed_before is None or (one.failed_at is not None and one.failed_at < self.failed_before))
            and (self.failed_after is None or (one.failed_at is not None and one.failed_at > self.failed_after))
        )


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _moment(value: object) -> datetime | None:
    try:
        return parse_time(value) if isinstance(value, str) else None
    except ValueError:
        return None
