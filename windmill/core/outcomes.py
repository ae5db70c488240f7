"""What can become of one job. The handler returns one of these; only the broker edge acts on it."""

from dataclasses import dataclass

from windmill.core.errors import Code, WindmillError

MOST_OUTAGES = 10
"""So often may the service go away while it has a job: then that job is what makes it go."""


@dataclass(frozen=True, slots=True)
class Stored:
    """The service answered; `data` is its reply as JSON text that PostgreSQL accepts."""

    data: str
    processing_time: float | None


@dataclass(frozen=True, slots=True)
class RetryLater:
    """This job failed in a way that may pass, and has tries left of so many."""

    code: Code
    message: str
    tries: int = 0


@dataclass(frozen=True, slots=True)
class Failed:
    """Tries are spent, or none would help. `outage` is what is wrong with the service when this job took it away."""

    code: Code
    message: str
    outage: WindmillError | None = None


@dataclass(frozen=True, slots=True)
class Unavailable:
    """The service is down or overloaded; no try is counted. `in_hand` when it had begun with the job, so that the job
    may be what brought it down."""

    error: WindmillError
    in_hand: bool = False


@dataclass(frozen=True, slots=True)
class Unreadable:
    """The body is not a job."""

    message: str


Tried = Stored | RetryLater | Failed | Unavailable
Outcome = Tried | Unreadable

# Codes of jobs that never reached the service, or of which it knows nothing: they say nothing of how it does.
_NOT_FROM_SERVICE = ("IMAGE_", "BAD_MESSAGE", "WORKER_LOST")


def is_code_from_service(code: Code | None) -> bool:
    """Whether the service had a part in what ended with this code, or with none."""
    return code is None or not code.startswith(_NOT_FROM_SERVICE)


def outage_of(outcome: Outcome) -> WindmillError | None:
    """What is wrong with the service, where it is the service that failed."""
    if isinstance(outcome, Failed):
        return outcome.outage
    return outcome.error if isinstance(outcome, Unavailable) else None


def is_from_service(outcome: Outcome) -> bool:
    """Whether the service had a part in this outcome."""
    return isinstance(outcome, Stored | RetryLater | Failed) and is_code_from_service(code_of(outcome))


def code_of(outcome: Outcome) -> Code | None:
    """The code of what went wrong, if anything did."""
    match outcome:
        case Stored():
            return None
        case Unavailable():
            return outcome.error.code
        case Unreadable():
            return "BAD_MESSAGE"
    return outcome.code


def after_error(error: WindmillError, attempt: int, tries: int) -> RetryLater | Failed | Unavailable:
    """What becomes of a job whose `attempt`-th try (from 1) ended in `error`, where a job gets so many tries."""
    if error.retry == "pause":
        return Unavailable(error)
    if error.retry == "later" and attempt < tries:
        return RetryLater(error.code, error.message, tries)
    return Failed(error.code, error.message)


def after_outage(error: WindmillError, doubt: WindmillError, outages: int) -> Failed | Unavailable:
    """What becomes of a job that ended in `error` when the service turned out not to be well (`doubt`); it had been
    in hand in so many outages before."""
    said = f"{doubt.message} (this to a picture that is known to be good; to a job before: {error.message})"
    outage = WindmillError(doubt.code, said, doubt.remedy, retry_after=doubt.retry_after)
    if outages + 1 < MOST_OUTAGES:
        return Unavailable(outage, in_hand=True)
    why = f"the service went away {outages + 1} times while it had this job: {error.message}"
    return Failed(error.code, why, outage)
