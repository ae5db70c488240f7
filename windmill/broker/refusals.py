"""Why a broker closed a connection before it was open, and whether that may pass. Pure.

A broker that is shutting down, or has lost its database, refuses a correct login with the words of a wrong password:
it finds no user. So a refusal counts only once it is repeated.
"""

import traceback

from aiormq import spec
from aiormq.exceptions import InvalidFrameError, ProbableAuthenticationError

ASK_AGAIN_SECONDS = (0.5, 1.0)
"""The pauses before a refused login is tried again. Afterwards a broker that was shutting down is gone."""
ACCESS_REFUSED, NOT_ALLOWED = 403, 530
_FULL = " is reached"
"""How RabbitMQ ends the refusal of one connection too many; it has no code of its own."""


def closed_with(error: InvalidFrameError) -> spec.Connection.Close | None:
    """The frame by which the broker closed the connection instead of opening the virtual host. The driver reports it
    as an invalid frame without its content, so it is taken from where the driver raised the error."""
    frames = (frame.f_locals.get("frame") for frame, _ in traceback.walk_tb(error.__traceback__))
    return next((found for found in frames if isinstance(found, spec.Connection.Close)), None)


def is_final(close: spec.Connection.Close | None) -> bool:
    """Whether the account or the virtual host is to blame. Others are a host that is down, a shutdown, or a connection
    too many, and those pass."""
    if close is None or close.reply_code not in (ACCESS_REFUSED, NOT_ALLOWED):
        return False
    return not str(close.reply_text).endswith(_FULL)


def is_refused_login(error: BaseException | None) -> bool:
    """Whether the driver's exception is a refusal that may turn out to be a broker shutting down."""
    if isinstance(error, InvalidFrameError):
        return is_final(closed_with(error))
    return isinstance(error, ProbableAuthenticationError)
