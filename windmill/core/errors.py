"""The table of error codes, and the exceptions that carry them: whether a retry can help, and the remedy.

    WindmillError             anything that ends with a code and a remedy
    └── ConfigInvalid         a list of problems in settings or service_config.json
    DataRefused               PostgreSQL is healthy but rejects this data; the writer decides what that means

The code is stored in `results.error_code`, counted, logged and shown.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from windmill.kernels.text.printable import shorten
from windmill.kernels.text.redaction import redactor

MAX_MESSAGE = 4_000
"""Characters of the message of an error."""

_redact = redactor()

Retry = Literal["later", "never", "pause"]
"""`later`: a retry may help. `never`: it cannot. `pause`: the job is not to blame, so stop taking jobs."""

Code = Literal[
    "SERVICE_UNREACHABLE",
    "SERVICE_TIMEOUT",
    "SERVICE_OVERLOADED",
    "SERVICE_ERROR",
    "SERVICE_REJECTED",
    "BAD_RESPONSE",
    "RESPONSE_TOO_LARGE",
    "SERVICE_BLIND",
    "IMAGE_NOT_FOUND",
    "IMAGE_UNREADABLE",
    "IMAGE_TOO_LARGE",
    "IMAGE_FORBIDDEN",
    "IMAGE_CHANGED",
    "VIDEO_UNREADABLE",
    "VIDEO_TOO_LARGE",
    "FRAMES_LOST",
    "BAD_MESSAGE",
    "WORKER_LOST",
    "ARTIFACT_NOT_FOUND",
    "ARTIFACT_STORE_UNAVAILABLE",
    "CONSENT_MISSING",
    "DEADLINE_EXCEEDED",
    "STEP_TIMEOUT",
    "NO_WORKER",
    "DATABASE_UNAVAILABLE",
    "BROKER_UNAVAILABLE",
    "USAGE",
    "NOT_FOUND",
    "BUSY",
    "CONFLICT",
    "CONFIG_INVALID",
    "PROCESS_FAILED",
    "PROCESS_NOT_STARTED",
    "OUT_OF_MEMORY",
    "INSUFFICIENT_DISK_SPACE",
    "DEPENDENCY_MISSING",
    "CHECKSUM_MISSING",
    "CHECKSUM_MISMATCH",
    "LICENSE_UNKNOWN",
    "CANCELLED",
    "DEFECT",
]

Culprit = Literal["input", "service", "operator", "us", "nobody"]
"""Who caused the failure: the input (a command, an image, a job), the service, the operator of servers and settings,
Windmill itself, or nobody, as when two processes must not work at the same time."""


@dataclass(frozen=True)
class ErrorSpec:
    """What one error code means.

    A command that fails with the code ends with `exit_code`; a program that answers over HTTP returns `http_status`."""

    retry: Retry
    culprit: Culprit
    exit_code: int
    http_status: int
    remedy: str


# Exit codes; those above 2 come from sysexits.h.
_FAILED, _MISUSED, _DEFECT, _TRY_AGAIN = 1, 2, os.EX_SOFTWARE, os.EX_TEMPFAIL

TOO_LARGE_REMEDY = "set SHRINK_IMAGES=true, shrink the image, or raise the service's max_upload_bytes"
"""For an image over the limit of one service."""

ERROR_CODES: dict[Code, ErrorSpec] = {
    "SERVICE_UNREACHABLE": ErrorSpec(
        "pause", "service", _FAILED, 503, "start the service, or correct its host and port in SERVICE_CONFIG"
    ),
    "SERVICE_TIMEOUT": ErrorSpec(
        "later", "service", _FAILED, 504, "raise timeout_seconds of the service, or lower its concurrency"
    ),
    "SERVICE_OVERLOADED": ErrorSpec(
        "pause", "service", _FAILED, 503, "lower the service's concurrency, or run more copies of it"
    ),
    "SERVICE_ERROR": ErrorSpec(
        "later", "service", _FAILED, 502, "read the service's own log; then send the failed jobs again"
    ),
    "SERVICE_REJECTED": ErrorSpec(
        "never", "service", _FAILED, 502, "read why it rejects: python -m windmill failed list --code SERVICE_REJECTED"
    ),
    "BAD_RESPONSE": ErrorSpec(
        "later", "service", _FAILED, 502, "the reply breaks the contract; check that no other program uses that port"
    ),
    "RESPONSE_TOO_LARGE": ErrorSpec(
        "never", "service", _FAILED, 502, "raise MAX_RESPONSE_BYTES if you want to keep such replies"
    ),
    "SERVICE_BLIND": ErrorSpec(
        "pause", "service", _FAILED, 502, "restart the service; what it answered meanwhile is asked again"
    ),
    "IMAGE_NOT_FOUND": ErrorSpec(
        "never", "input", _FAILED, 404, "restore the file or URL, then submit the image again"
    ),
    "IMAGE_UNREADABLE": ErrorSpec(
        "never", "input", _FAILED, 422, "the file is not an image that can be decoded; replace it"
    ),
    "IMAGE_TOO_LARGE": ErrorSpec(
        "never", "input", _FAILED, 413, "shrink the image, or raise the service's max_upload_bytes"
    ),
    "IMAGE_FORBIDDEN": ErrorSpec(
        "never",
        "input",
        _FAILED,
        403,
        "allow workers to read it: permissions, IMAGE_ROOT, IMAGE_URL_ALLOW or IMAGE_STORE_ALLOW",
    ),
    "IMAGE_CHANGED": ErrorSpec(
        "never",
        "input",
        _FAILED,
        409,
        "put the old file back, or have the new one analysed: python -m producers.generic --services all --reprocess",
    ),
    "VIDEO_UNREADABLE": ErrorSpec(
        "never", "input", _FAILED, 422, "the file is not a video that can be decoded; convert it to MP4, or replace it"
    ),
    "VIDEO_TOO_LARGE": ErrorSpec(
        "never", "input", _FAILED, 413, "cut or shrink the video, or raise the setting that the message names"
    ),
    "FRAMES_LOST": ErrorSpec(
        "later",
        "us",
        _FAILED,
        500,
        "run the job again; if it comes again, report it with the video as a bug of Windmill",
    ),
    "BAD_MESSAGE": ErrorSpec(
        "never",
        "input",
        _FAILED,
        400,
        "find out what queued this, as it is not a job; its bytes are in the failed queue",
    ),
    "WORKER_LOST": ErrorSpec(
        "never", "operator", _FAILED, 500, "find out why workers die over it: their logs, MemoryMax; then redrive it"
    ),
    "ARTIFACT_NOT_FOUND": ErrorSpec(
        "never", "input", _FAILED, 404, "it expired, was deleted or was lost; run the job that made it again"
    ),
    "ARTIFACT_STORE_UNAVAILABLE": ErrorSpec(
        "pause", "operator", _FAILED, 503, "start or mount the store, or correct ARTIFACTS_URL and the AWS_ settings"
    ),
    "CONSENT_MISSING": ErrorSpec(
        "never", "input", _MISUSED, 400, "confirm that you may use the pictures of these people, or leave them out"
    ),
    "DEADLINE_EXCEEDED": ErrorSpec(
        "never", "operator", _FAILED, 504, "give the job a later deadline or a higher priority, then run it again"
    ),
    "STEP_TIMEOUT": ErrorSpec(
        "later", "operator", _FAILED, 504, "see in the job's log what takes so long; give its step less to do at a time"
    ),
    "NO_WORKER": ErrorSpec(
        "pause",
        "operator",
        _FAILED,
        503,
        "start a worker of that step, in the job's version: python -m workers.jobs",
    ),
    "DATABASE_UNAVAILABLE": ErrorSpec(
        "pause",
        "operator",
        _FAILED,
        503,
        "start PostgreSQL (make up starts a private one), or correct DB_HOST and DB_PORT",
    ),
    "BROKER_UNAVAILABLE": ErrorSpec(
        "pause",
        "operator",
        _FAILED,
        503,
        "start RabbitMQ (make up starts a private one), or correct QUEUE_HOST and QUEUE_PORT",
    ),
    "USAGE": ErrorSpec("never", "input", _MISUSED, 400, "correct the command or request; --help lists what is allowed"),
    "NOT_FOUND": ErrorSpec("never", "input", _MISUSED, 404, "name something that exists and that you may read"),
    "BUSY": ErrorSpec("later", "nobody", _TRY_AGAIN, 503, "wait until the other process is done, then try again"),
    "CONFLICT": ErrorSpec("never", "input", _MISUSED, 409, "remove what is in the way, or choose something else"),
    "CONFIG_INVALID": ErrorSpec("never", "operator", _MISUSED, 500, "correct the settings named in the message"),
    "PROCESS_FAILED": ErrorSpec(
        "later", "service", _FAILED, 502, "read the last lines of its log, which the message quotes"
    ),
    "PROCESS_NOT_STARTED": ErrorSpec(
        "pause", "operator", _FAILED, 503, "correct the command of the engine in SERVICE_CONFIG, or install the program"
    ),
    "OUT_OF_MEMORY": ErrorSpec(
        "later", "operator", _FAILED, 507, "ask for less at once, or raise memory_bytes of the engine"
    ),
    "INSUFFICIENT_DISK_SPACE": ErrorSpec(
        "pause", "operator", _FAILED, 507, "free space on the disk that the message names"
    ),
    "DEPENDENCY_MISSING": ErrorSpec(
        "never", "operator", _FAILED, 503, "install what the message names, or choose something that is installed"
    ),
    "CHECKSUM_MISSING": ErrorSpec(
        "never", "operator", _FAILED, 422, "add the model's sha256 to its entry under engines in SERVICE_CONFIG"
    ),
    "CHECKSUM_MISMATCH": ErrorSpec(
        "never", "operator", _FAILED, 422, "the file is damaged or is another one; restore it, or download it again"
    ),
    "LICENSE_UNKNOWN": ErrorSpec(
        "never", "operator", _FAILED, 422, "find out the model's licence, or accept the risk by acknowledged_by"
    ),
    "CANCELLED": ErrorSpec("never", "nobody", _FAILED, 409, "nothing is wrong; run it again if it is still wanted"),
    "DEFECT": ErrorSpec("later", "us", _DEFECT, 500, "report the traceback in the log as a bug of Windmill"),
}


class WindmillError(Exception):
    """A failure with a code. Remedy and retry class are those of the code unless the caller overrides them. The message
    is bounded, as it goes into rows and logs and may quote what others sent.

    `reached` is False if the service never received the request, so that what was in it cannot have caused the
    failure."""

    def __init__(
        self,
        code: Code,
        message: str,
        remedy: str = "",
        retry: Retry | None = None,
        retry_after: float | None = None,
        *,
        reached: bool = True,
    ) -> None:
        super().__init__(shorten(message, MAX_MESSAGE))
        self.code: Code = code
        self.message = shorten(message, MAX_MESSAGE)
        self.remedy = remedy or ERROR_CODES[code].remedy
        self.retry: Retry = retry or ERROR_CODES[code].retry
        self.retry_after = retry_after  # seconds, from the server's Retry-After
        self.reached = reached

    @property
    def exit_code(self) -> int:
        return ERROR_CODES[self.code].exit_code

    def __str__(self) -> str:
        return f"{self.code}: {self.message.rstrip('.')}. Remedy: {self.remedy}"


def unexpected(error: Exception) -> WindmillError:
    """Wraps a bug of Windmill where it must not end the process, or must end it with a code of its own. Its text may
    quote what it stumbled over, such as a URL with a password."""
    return WindmillError("DEFECT", f"unexpected fault: {_redact(repr(error))}")


def unreadable_file(error: Exception) -> Code:
    """The code for a named file that cannot be read: missing or forbidden, or of the wrong kind."""
    return "NOT_FOUND" if isinstance(error, OSError) else "USAGE"


class DataRefused(Exception):
    """PostgreSQL is healthy but rejects this data; a retry would not help."""


@dataclass(frozen=True)
class Problem:
    """One problem of the configuration: the setting, its value, and what is allowed."""

    name: str
    value: str
    allowed: str

    def __str__(self) -> str:
        return f"{self.name}={self.value!r}: {self.allowed}"


class ConfigInvalid(WindmillError):
    """All problems of the configuration at once, so that all can be fixed in one go."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("CONFIG_INVALID", "; ".join(map(str, self.problems)))

    def __str__(self) -> str:
        lines = "".join(f"\n  {problem}" for problem in self.problems)
        return f"CONFIG_INVALID: {len(self.problems)} problem(s) in the configuration{lines}"
