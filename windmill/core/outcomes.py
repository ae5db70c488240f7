"""The possible outcomes of a job. The handler returns one of these; only the broker edge acts on it."""

from dataclasses import dataclass

from windmill.core.errors import Code, WindmillError

MAX_OUTAGES = 10
"""When so many outages started while a job was in flight, the job is to blame for them."""


@dataclass(frozen=True, slots=True)
class Stored:
    """The service answered; `data` is its reply as JSON text that PostgreSQL accepts."""

    data: str
    processing_time: float | None
    image_sent: str | None = None
    """How the picture that was sent differs from the image, as JSON text; None if the image was sent as it is."""
    image_fingerprint: int | None = None


@dataclass(frozen=True, slots=True)
class SentImage:
    """The bytes to send for an image: those of its file, or of a JPEG made of it. `note` is `Stored.image_sent`."""

    data: bytes
    note: str | None = None
    fingerprint: int | None = None


@dataclass(frozen=True, slots=True)
class RetryLater:
    """The job failed, a retry may help, and it has tries left out of `tries`. `refused` if the service turned away this
    job alone: that counts like an outage that the job started, and not as a try."""

    code: Code
    message: str
    tries: int = 0
    refused: bool = False


@dataclass(frozen=True, slots=True)
class Failed:
    """The tries are used up, or a retry would not help. `outage` is the error of the service if this job took it
    down."""

    code: Code
    message: str
    outage: WindmillError | None = None


@dataclass(frozen=True, slots=True)
class Unavailable:
    """The service is down or overloaded; this does not count as a try. `in_hand` if the service had started the job, so
    that the job may have taken it down."""

    error: WindmillError
    in_hand: bool = False


@dataclass(frozen=True, slots=True)
class Unreadable:
    """The body is not a job."""

    message: str


Tried = Stored | RetryLater | Failed | Unavailable
Outcome = Tried | Unreadable

# Codes of jobs that never reached the service: they say nothing about its health.
_NOT_FROM_SERVICE = ("IMAGE_", "BAD_MESSAGE", "WORKER_LOST")


def is_code_from_service(code: Code | None) -> bool:
    """Whether the service took part in an outcome with this code (None is success)."""
    return code is None or not code.startswith(_NOT_FROM_SERVICE)


def outage_of(outcome: Outcome) -> WindmillError | None:
    """The error of the service, if the service failed."""
    if isinstance(outcome, Failed):
        return outcome.outage
    return outcome.error if isinstance(outcome, Unavailable) else None


def is_from_service(outcome: Outcome) -> bool:
    """Whether the service took part in this outcome."""
    return isinstance(outcome, Stored | RetryLater | Failed) and is_code_from_service(code_of(outcome))


def code_of(outcome: Outcome) -> Code | None:
    """The error code, or None for a success."""
    match outcome:
        case Stored():
            return None
        case Unavailable():
            return outcome.error.code
        case Unreadable():
            return "BAD_MESSAGE"
    return outcome.code


def after_error(error: WindmillError, attempt: int, tries: int) -> RetryLater | Failed | Unavailable:
    """The outcome of a job whose `attempt`-th try (from 1) out of `tries` ended in `error`."""
    if error.retry == "pause":
        return Unavailable(error)
    if error.retry == "later" and attempt < tries:
        return RetryLater(error.code, error.message, tries)
    return Failed(error.code, error.message)


def after_refusal(error: WindmillError, outages: int, limit: int) -> RetryLater | Failed:
    """The outcome of a job that the service turned away with `error` while it answered another image, after `outages`
    outages and refusals before; it is given up at `limit` of them."""
    if outages + 1 < limit:
        return RetryLater(error.code, error.message, limit, refused=True)
    why = f"the service turned this image away {outages + 1} times while it answered others: {error.message}"
    return Failed("SERVICE_REJECTED", why)


def after_outage(error: WindmillError, probe_error: WindmillError, outages: int) -> Failed | Unavailable:
    """The outcome of a job that ended in `error` while the probe image got `probe_error`; `outages` outages started
    before while it was in flight."""
    said = f"{probe_error.message} (for the probe image, which is valid; the job before failed with: {error.message})"
    outage = WindmillError(
        probe_error.code, said, probe_error.remedy, retry_after=probe_error.retry_after, reached=probe_error.reached
    )
    if outages + 1 < MAX_OUTAGES:
        return Unavailable(outage, in_hand=True)
    why = f"the service went down {outages + 1} times while it had this job: {error.message}"
    return Failed(error.code, why, outage)
