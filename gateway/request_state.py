"""What the gateway knows of a request beside what the client sent."""

import contextvars
import logging
import re
import uuid
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request

from gateway.caller import Caller

_STATE = "windmill"
_GIVEN = re.compile(r"[A-Za-z0-9._-]{1,64}")
REQUEST_ID: contextvars.ContextVar[str] = contextvars.ContextVar("request_id", default="")


@dataclass
class RequestState:
    """`headers` are added to the answer, whatever it is. `short` says that the job was named by the first digits of its
    id, as clients of the video service do."""

    request_id: str
    caller: Caller | None = None
    short: bool = False
    headers: dict[str, str] = field(default_factory=dict)


def request_id_of(given: str | None) -> str:
    """The id that the client gave, if it can stand in a log; else a new one."""
    return given if given and _GIVEN.fullmatch(given) else uuid.uuid4().hex


def keep_state(scope: Any, state: RequestState) -> None:  # noqa: ANN401 - a scope of ASGI
    scope[_STATE] = state


def state_of(request: Request) -> RequestState:
    state = request.scope[_STATE]
    assert isinstance(state, RequestState)
    return state


class NamesRequest(logging.Filter):
    """Adds the id of the request to each line that is logged while it is served."""

    def filter(self, record: logging.LogRecord) -> bool:
        if request_id := REQUEST_ID.get():
            record.request_id = request_id
        return True
