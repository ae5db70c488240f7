"""What can become of one job. The handler returns one of these; only the broker edge acts on it."""

from dataclasses import dataclass

from windmill.errors import Code, WindmillError


@dataclass(frozen=True, slots=True)
class Stored:
    """The service answered; `data` is its reply as JSON text that PostgreSQL accepts."""

    data: str
    processing_time: float | None


@dataclass(frozen=True, slots=True)
class RetryLater:
    """This job failed in a way that may pass, and has tries left."""

    code: Code
    message: str


@dataclass(frozen=True, slots=True)
class Failed:
    """Tries are spent, or none would help."""

    code: Code
    message: str


@dataclass(frozen=True, slots=True)
class Unavailable:
    """The service is down or overloaded; the job is as good as new."""

    code: Code
    message: str
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """The body is not a job."""

    message: str


Outcome = Stored | RetryLater | Failed | Unavailable | Unreadable


def after_error(error: WindmillError, attempt: int, max_retries: int) -> RetryLater | Failed | Unavailable:
    """What becomes of a job whose `attempt`-th try (from 1) ended in `error`."""
    if error.retry == "pause":
        return Unavailable(error.code, error.message, error.remedy)
    if error.retry == "later" and attempt <= max_retries:
        return RetryLater(error.code, error.message)
    return Failed(error.code, error.message)
