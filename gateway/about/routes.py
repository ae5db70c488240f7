"""Health, the meaning of error codes, and the description of the interface."""

from typing import Annotated

from fastapi import Path, Request
from fastapi.responses import JSONResponse

from gateway.about.shapes import ErrorCode, Health
from gateway.context import Context
from gateway.guard import PUBLIC, noun_router
from windmill import VERSION
from windmill.core.errors import ERROR_CODES, WindmillError
from windmill.operate.jobs.serving import is_any_step_served

router = noun_router("about")


@router.get("/health", dependencies=[PUBLIC])
async def health(gateway: Context) -> Health:
    """Whether the gateway serves, and whether anybody works."""
    return Health(version=VERSION, worker_running=await is_any_step_served(gateway.access))


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
async def description(request: Request) -> JSONResponse:
    """This interface, as OpenAPI 3.1."""
    return JSONResponse(request.app.state.openapi)
