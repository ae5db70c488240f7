"""Conditional requests: ETag, If-Match, If-None-Match; and how long a client prefers to wait."""

import hashlib
import re

from starlette.requests import Request
from starlette.responses import Response

from gateway.shape import Shape
from windmill.core.errors import WindmillError

MOST_WAIT_SECONDS = 60.0
_TAG = re.compile(r'"(\d{1,18})-[0-9a-f]{16}"')
_WAIT = re.compile(r"(?:^|[,;])\s*wait\s*=\s*\"?(\d{1,6})\"?\s*(?=[,;]|$)", re.IGNORECASE)


def etag(version: int, body: bytes) -> str:
    """The version, which If-Match is compared by, and the digest, so that 304 is answered only if nothing at all has
    changed, such as the progress of a job."""
    return f'"{version}-{hashlib.sha256(body).hexdigest()[:16]}"'


def answer(request: Request, shape: Shape, version: int, status: int = 200) -> Response:
    """The shape with its ETag, or 304 if the client has it."""
    return answer_json(request, shape.model_dump_json().encode(), version, status)


def answer_json(request: Request, body: bytes, version: int, status: int = 200) -> Response:
    """The same for a shape that is written already."""
    tag = etag(version, body)
    headers = {"ETag": tag, "Cache-Control": "private, no-cache"}
    if request.method == "GET" and matches(request.headers.get("if-none-match"), tag):
        return Response(status_code=304, headers=headers)
    return Response(body, status, media_type="application/json", headers=headers)


def matches(given: str | None, tag: str) -> bool:
    """Whether If-None-Match names the tag; a weak one counts as well."""
    if given is None:
        return False
    return given.strip() == "*" or tag in [one.strip().removeprefix("W/") for one in given.split(",")]


def required_version(request: Request) -> int | None:
    """The version in If-Match, None for any; raises PRECONDITION_REQUIRED without one."""
    given = request.headers.get("if-match")
    if given is None:
        raise WindmillError("PRECONDITION_REQUIRED", "a change needs the header If-Match")
    if given.strip() == "*":
        return None
    found = _TAG.fullmatch(given.strip())
    if found is None:
        raise WindmillError("PRECONDITION_FAILED", "If-Match is not the ETag of what you change")
    return int(found[1])


def preferred_wait(request: Request) -> float | None:
    """The seconds of `Prefer: wait=n`, at most so many; None if nobody waits."""
    found = _WAIT.search(request.headers.get("prefer", ""))
    return min(float(found[1]), MOST_WAIT_SECONDS) if found else None
