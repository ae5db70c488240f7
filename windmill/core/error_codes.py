"""The table of error codes: whether a retry can help, who is to blame, and the remedy."""

import os
from dataclasses import dataclass
from typing import Literal

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
    "AUDIO_UNREADABLE",
    "AUDIO_TOO_LARGE",
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
    "AUTH_MISSING",
    "AUTH_INVALID",
    "AUTH_EXPIRED",
    "PERMISSION_DENIED",
    "CONTRACT_MISMATCH",
    "METHOD_NOT_ALLOWED",
    "PAYLOAD_TOO_LARGE",
    "MEDIA_TYPE_UNSUPPORTED",
    "RANGE_NOT_SATISFIABLE",
    "PRECONDITION_REQUIRED",
    "PRECONDITION_FAILED",
    "IDEMPOTENCY_MISMATCH",
    "RATE_LIMIT_EXCEEDED",
    "INSUFFICIENT_FUNDS",
    "ENGINE_OFFLINE",
    "ENGINE_TIMEOUT",
    "SAFETY_FILTER",
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
    "AUDIO_UNREADABLE": ErrorSpec(
        "never", "input", _FAILED, 422, "the file has no sound that can be decoded; convert it to WAV, or replace it"
    ),
    "AUDIO_TOO_LARGE": ErrorSpec(
        "never", "input", _FAILED, 413, "cut the recording, or raise the setting that the message names"
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
        "pause", "operator", _FAILED, 503, "start or mount the store, or correct ARTIFACTS_URL or the store's account"
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
        "start a worker of that step, in the job's version: STEPS=all python -m workers.jobs",
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
    "AUTH_MISSING": ErrorSpec("never", "input", _MISUSED, 401, "send a key: Authorization: Bearer KEY"),
    "AUTH_INVALID": ErrorSpec("never", "input", _MISUSED, 401, "send a key that is good; an administrator makes keys"),
    "AUTH_EXPIRED": ErrorSpec("never", "input", _MISUSED, 401, "ask an administrator for a new key"),
    "PERMISSION_DENIED": ErrorSpec("never", "input", _MISUSED, 403, "ask an administrator for a key that may do this"),
    "CONTRACT_MISMATCH": ErrorSpec("never", "input", _MISUSED, 422, "send what /openapi.json describes"),
    "METHOD_NOT_ALLOWED": ErrorSpec("never", "input", _MISUSED, 405, "use one of the methods in the header Allow"),
    "PAYLOAD_TOO_LARGE": ErrorSpec("never", "input", _MISUSED, 413, "send less, or raise GATEWAY_MAX_UPLOAD_BYTES"),
    "MEDIA_TYPE_UNSUPPORTED": ErrorSpec("never", "input", _MISUSED, 415, "send JSON, or files as multipart/form-data"),
    "RANGE_NOT_SATISFIABLE": ErrorSpec("never", "input", _MISUSED, 416, "ask for bytes that the file has"),
    "PRECONDITION_REQUIRED": ErrorSpec("never", "input", _MISUSED, 428, "send the ETag of what you saw in If-Match"),
    "PRECONDITION_FAILED": ErrorSpec("never", "input", _MISUSED, 412, "read it again, then decide again"),
    "IDEMPOTENCY_MISMATCH": ErrorSpec("never", "input", _MISUSED, 422, "use a new Idempotency-Key for another request"),
    "RATE_LIMIT_EXCEEDED": ErrorSpec("later", "input", _TRY_AGAIN, 429, "wait as long as Retry-After says"),
    "INSUFFICIENT_FUNDS": ErrorSpec("never", "input", _MISUSED, 402, "ask an administrator for a larger quota"),
    "ENGINE_OFFLINE": ErrorSpec(
        "pause", "service", _FAILED, 503, "start the engine, or correct its entry under engines in SERVICE_CONFIG"
    ),
    "ENGINE_TIMEOUT": ErrorSpec(
        "later", "service", _FAILED, 504, "raise timeout_seconds of the engine, or ask for less at once"
    ),
    "SAFETY_FILTER": ErrorSpec(
        "never", "input", _FAILED, 422, "ask for something else: the engine refuses to make this"
    ),
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
