"""Health, the meaning of error codes, and the description of the interface."""

from typing import Annotated, Any

from fastapi import Path, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response

from gateway.about.health_words import health_of, health_text, health_without_database
from gateway.about.shapes import ErrorCode, Health
from gateway.context import Context, Gateway
from gateway.guard import PUBLIC, noun_router
from gateway.private_errors import public_words
from windmill import VERSION
from windmill.core.errors import ERROR_CODES, WindmillError
from windmill.operate.jobs.serving import is_any_step_served

router = noun_router("about")
_WORDS: dict[int | str, dict[str, Any]] = {200: {"content": {"text/plain": {"schema": {"type": "string"}}}}}


@router.get("/health", dependencies=[PUBLIC], response_model=Health, responses=_WORDS)
async def health(request: Request, gateway: Context) -> Response | Health:
    """Whether the gateway serves, and whether anybody works; for browsers, and whoever accepts text, in words with what
    to do."""
    if "text/" in request.headers.get("accept", "").lower():
        return await _in_words(gateway)
    return Health(version=VERSION, worker_running=await is_any_step_served(gateway.access))


async def _in_words(gateway: Gateway) -> Response:
    try:
        running = await is_any_step_served(gateway.access)
        status = await gateway.image_fleet.recent_status()
    except WindmillError as error:
        _, remedy = public_words(error)
        lines = health_without_database(remedy)
        return PlainTextResponse(health_text(VERSION, lines), ERROR_CODES[error.code].http_status)
    return PlainTextResponse(health_text(VERSION, health_of(status, worker_running=running)))


@router.get("/errors/{code}", dependencies=[PUBLIC])
async def error_code(code: Annotated[str, Path(max_length=100)]) -> ErrorCode:
    """What an error code means: `type` of a problem leads here."""
    for known, spec in ERROR_CODES.items():
        if known == code:
            return ErrorCode(
                code=code, status=spec.http_status, caused_by=spec.culprit, retry=spec.retry, remedy=spec.remedy
            )
    raise WindmillError("NOT_FOUND", "there is no such error code")


@router.get("/openapi.json", dependencies=[PUBLIC], include_in_schema=False)
def description(request: Request) -> JSONResponse:
    """This interface, as OpenAPI 3.1. It is made when it is asked for first, in a thread, as that takes a second."""
    return JSONResponse(request.app.state.openapi())
