"""The interfaces of other systems have words of their own for errors. Which words an answer has follows from the path;
what went wrong, and what helps, is told as everywhere. Pure."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from windmill.core.errors import Code

Words = Callable[[str, Code, str], Mapping[str, Any]]
"""Takes path, code and message; says which members of the problem are others here."""

PIPELINE_CODES: Mapping[str, str] = {
    "NOT_FOUND": "FILE_NOT_FOUND",
    "ARTIFACT_NOT_FOUND": "FILE_NOT_FOUND",
    "USAGE": "CONTRACT_MISMATCH",
    "DEFECT": "UNKNOWN_ERROR",
    "DATABASE_UNAVAILABLE": "DB_UNAVAILABLE",
    "SERVICE_UNREACHABLE": "ENGINE_OFFLINE",
    "SERVICE_TIMEOUT": "ENGINE_TIMEOUT",
}
_UPLOAD_CODES: Mapping[str, tuple[str, int]] = {
    "CONTRACT_MISMATCH": ("file_required", 400),
    "MEDIA_TYPE_UNSUPPORTED": ("invalid_file_type", 400),
    "PAYLOAD_TOO_LARGE": ("file_too_large", 413),
}
_PROMPT_CODES: Mapping[str, tuple[str, int]] = {
    "CONTRACT_MISMATCH": ("invalid_prompt", 400),
    "USAGE": ("invalid_prompt", 400),
    "INSUFFICIENT_FUNDS": ("insufficient_credits", 402),
    "DEFECT": ("internal_error", 500),
}


def _pipeline(_: str, code: Code, __: str) -> Mapping[str, Any]:
    known = PIPELINE_CODES.get(code, code)
    return {"error": known, "error_code": known}


def _prompts(path: str, code: Code, _: str) -> Mapping[str, Any]:
    special = _UPLOAD_CODES if path == "/api/upload" else {}
    word, status = {**_PROMPT_CODES, **special}.get(code, (code.lower(), 0))
    return {"error": word, **({"status": status} if status else {})}


def _video_jobs(_: str, code: Code, message: str) -> Mapping[str, Any]:
    return {"error": "Job not found" if code == "NOT_FOUND" else message}


_PATHS: tuple[tuple[re.Pattern[str], Words], ...] = (
    (re.compile(r"/api/pipeline/.*"), _pipeline),
    (re.compile(r"/api/.*"), _prompts),
    (re.compile(r"/jobs/[0-9a-f]{24}"), _video_jobs),
)


def in_words_of(path: str, code: Code, message: str) -> Mapping[str, Any]:
    """What the problem says here in other words."""
    for pattern, words in _PATHS:
        if pattern.fullmatch(path):
            return words(path, code, message)
    return {}
