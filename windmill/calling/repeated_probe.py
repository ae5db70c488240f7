"""Probing until an answer, or until another probe would tell no more."""

from collections.abc import Awaitable, Callable

from windmill.core.errors import WindmillError, unexpected

PROBE_TRIES = 5


async def repeated_probe(send: Callable[[], Awaitable[object]], times: int | None = None) -> WindmillError | None:
    """Send the probe image, up to `times` times while the error may be temporary; returns the last error, or None."""
    last: WindmillError | None = None
    for _ in range(times or PROBE_TRIES):
        try:
            await send()
        except WindmillError as error:
            last = error
            if error.retry != "later" or error.code == "SERVICE_TIMEOUT":
                return error
        except Exception as error:  # noqa: BLE001 - the handler has logged it with a job first
            last = unexpected(error)
        else:
            return None
    return last
