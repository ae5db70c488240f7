"""Every failure as problem details (RFC 9457), in one form, with our codes. Nothing of the server shows in them: what
is the operator's business stands in the log, under the id of the request."""

import logging
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from pydantic import Field
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from gateway.field_words import MISSING
from gateway.known_fields import fields_of
from gateway.mistakes import MOST_MISTAKES, FieldMistake, malformed, mistakes_of, summary_of
from gateway.private_errors import is_private, public_words
from gateway.request_state import state_of
from gateway.request_words import in_words_of
from gateway.shape import Shape
from windmill.core.errors import ERROR_CODES, Code, DataRefused, WindmillError, unexpected
from windmill.kernels.text.redaction import redactor
from windmill.operate.sessions.claims import AlreadyClaimed

logger = logging.getLogger("gateway")

MEDIA_TYPE = "application/problem+json"
_PATH = re.compile(r"(?<![\w/:.<])(?:/[\w.@+-]+){2,}/?")
_BY_STATUS: Mapping[int, Code] = {
    404: "NOT_FOUND",
    405: "METHOD_NOT_ALLOWED",
    413: "PAYLOAD_TOO_LARGE",
    415: "MEDIA_TYPE_UNSUPPORTED",
}
_redact = redactor()
_OWN_TEXTS = frozenset(spec.remedy for spec in ERROR_CODES.values())
"""Nobody else has a word in them, though one may show how a key is sent."""


class WordedError(WindmillError):
    """An error that a client of another system knows by this word."""

    def __init__(self, code: Code, message: str, word: str) -> None:
        super().__init__(code, message)
        self.word = word


class ProblemDetails(Shape):
    """What every answer with a status of 400 and above holds."""

    type: str = Field(examples=["/errors/NOT_FOUND"])
    title: str
    status: int
    detail: str
    instance: str
    ok: bool = False
    error: str
    error_code: str
    message: str
    remediation: list[str]
    retryable: bool
    retry_after: int | None = None
    claimant: str | None = None
    claimed_by: str | None = None
    errors: tuple[FieldMistake, ...] = ()
    missing_fields: tuple[str, ...] = ()
    request_id: str


PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemDetails"}}}, "description": said}
    for status, said in {
        400: "The request asks for what cannot be.",
        401: "No good key was sent.",
        402: "The quota of the key is spent.",
        403: "The key may not do this.",
        404: "There is no such thing, or it is of another principal.",
        409: "It is not in a state for this.",
        413: "The body is too large.",
        415: "The body is of a kind that is not taken.",
        422: "The request does not have the documented form.",
        429: "Too many requests.",
        500: "A bug of Windmill.",
        503: "What the gateway needs is not available.",
    }.items()
}
"""What any route may answer."""
PRECONDITIONS: dict[int | str, dict[str, Any]] = {
    412: {**PROBLEMS[400], "description": "It has changed since you read it."},
    428: {**PROBLEMS[400], "description": "If-Match is missing."},
}
"""What a route may answer that changes what somebody has seen."""


def hide_paths(text: str) -> str:
    """Without folders of the server, and without secrets."""
    if text in _OWN_TEXTS:
        return text
    return _PATH.sub(lambda found: "…/" + found[0].rstrip("/").rpartition("/")[2], _redact(text))


def problem_of(
    error: WindmillError, request_id: str, path: str, mistakes: Sequence[FieldMistake] = ()
) -> ProblemDetails:
    said, remedy = public_words(error) if is_private(error) else (hide_paths(error.message), hide_paths(error.remedy))
    problem = ProblemDetails(
        type=f"/errors/{error.code}",
        title=error.code.replace("_", " ").capitalize(),
        status=ERROR_CODES[error.code].http_status,
        detail=said,
        instance=path,
        error=error.code,
        error_code=error.code,
        message=said,
        remediation=[remedy],
        retryable=error.retry != "never",
        retry_after=None if error.retry_after is None else math.ceil(error.retry_after),
        errors=tuple(mistakes[:MOST_MISTAKES]),
        missing_fields=tuple(one.pointer.removeprefix("/") for one in mistakes if one.detail == MISSING),
        request_id=request_id,
    )
    return problem.model_copy(update={**in_words_of(path, error.code, said), **error_words(error)})


def error_words(error: WindmillError) -> Mapping[str, str]:
    """What `error` is where the raiser has a word for it, and who was first where two wanted the same."""
    if isinstance(error, AlreadyClaimed):
        return {"claimant": error.claimant, "claimed_by": error.claimed_by}
    return {"error": error.word} if isinstance(error, WordedError) else {}


def problem_response(
    error: WindmillError,
    request_id: str,
    path: str,
    mistakes: Sequence[FieldMistake] = (),
    headers: Mapping[str, str] | None = None,
) -> Response:
    problem = problem_of(error, request_id, path, mistakes)
    if problem.status >= 500:
        logger.error("failed", extra={"code": error.code, "reason": str(error), "request_id": request_id})
    sent = dict(headers or {})
    if problem.retry_after is not None:
        sent["Retry-After"] = str(problem.retry_after)
    if problem.status == 401:
        sent["WWW-Authenticate"] = "Bearer"
    body = orjson.dumps(problem.model_dump(exclude_none=True))
    return Response(body, problem.status, media_type=MEDIA_TYPE, headers={"Cache-Control": "no-store", **sent})


def install(app: FastAPI) -> None:
    """The one handler, for every kind of exception."""

    async def handle(request: Request, error: Exception) -> Response:
        mistakes = mistakes_of(error, fields_of(request.scope.get("route")))
        headers = _allowed(app, request) if isinstance(error, HTTPException) and error.status_code == 405 else None
        return problem_response(
            as_windmill_error(error), state_of(request).request_id, request.url.path, mistakes, headers
        )

    for kind in (WindmillError, DataRefused, RequestValidationError, HTTPException, Exception):
        app.add_exception_handler(kind, handle)


def as_windmill_error(error: Exception) -> WindmillError:
    """Whatever was raised, with one of our codes."""
    if isinstance(error, WindmillError):
        return error
    if isinstance(error.__cause__, WindmillError):
        return error.__cause__
    if isinstance(error, RequestValidationError):
        return malformed(error) or WindmillError("CONTRACT_MISMATCH", summary_of(mistakes_of(error)))
    if isinstance(error, DataRefused):
        return WindmillError("CONTRACT_MISMATCH", "a value cannot be stored")
    if isinstance(error, HTTPException) and error.status_code < 500:
        code = _BY_STATUS.get(error.status_code, "CONTRACT_MISMATCH")
        return WindmillError(code, str(error.detail))
    return unexpected(error)


def _allowed(app: FastAPI, request: Request) -> dict[str, str]:
    """The methods of all routes with this path."""
    found: set[str] = set()
    for route in app.routes:
        pattern, methods = getattr(route, "path_regex", None), getattr(route, "methods", None)
        if pattern and methods and pattern.match(request.url.path):
            found |= set(methods)
    return {"Allow": ", ".join(sorted(found))}
