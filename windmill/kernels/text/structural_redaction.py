"""Redaction of documents by their structure: fields by the exact names of secrets, credentials in URLs and headers, and
tokens of known shapes. Words decide nothing: `author`, `tokens_used` and "a secret garden" stay as they are.

Prompts are never touched, whatever they say, as what is shown of a job is to be run again.
"""

import re
from collections.abc import Callable
from typing import Any

from windmill.kernels.text.redaction import HIDDEN

_SECRET_FIELDS = frozenset(
    {
        *("access_key", "access_token", "api_key", "api_token", "apikey", "apitoken", "auth", "auth_token"),
        *("authorization", "bearer", "client_secret", "cookie", "credential", "credentials", "id_token", "pass"),
        *("passphrase", "passwd", "password", "private_key", "proxy_authorization", "pwd", "refresh_token", "secret"),
        *("secret_access_key", "secret_key", "session_token", "set_cookie", "sig", "signature", "token"),
        *("x_api_key", "x_auth_token"),
    }
)
_MESSAGES = frozenset({"message", "error", "warnings", "pause_reason", "says", "waits_for"})
"""Fields in which programs speak, and not the people who ask for something."""
_PROMPT = re.compile(r"(?:\A|_)prompts?(?:_|\Z)")
_USER_OF_URL = re.compile(r"(?<=://)[^\s/?#@]{0,1000}@")
_QUERY = re.compile(r"([?&]([\w.-]{1,64})=)([^&#\s\"']{1,4000})")
_HEADER = re.compile(r"\b((?:[Bb]earer|BEARER|Basic)\s+)(?=[\w.~+/=-]*\d|[\w.~+/=-]{16})[\w.~+/=-]{6,}")
_TOKENS = re.compile(
    r"\b(?:sk-[\w-]{16,}|gh[pousr]_\w{20,}|github_pat_\w{20,}|xox[abprs]-[\w-]{10,}|AKIA[0-9A-Z]{16}|AIza[\w-]{30,}"
    r"|hf_\w{20,}|eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]{8,})"
)


def redact_by_structure(
    value: Any,  # noqa: ANN401 - any JSON
    redact_message: Callable[[str], str],
    name: str = "",
) -> Any:  # noqa: ANN401 - any JSON
    """The same document; `redact_message` is for the texts of programs, which may quote anything."""
    if isinstance(value, dict):
        return {key: redact_by_structure(inner, redact_message, str(key)) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [redact_by_structure(inner, redact_message, name) for inner in value]
    if value is not None and _plain(name) in _SECRET_FIELDS:
        return HIDDEN
    if not isinstance(value, str) or _PROMPT.search(_plain(name)):
        return value
    return _redacted(redact_message(value) if name in _MESSAGES else value)


def _plain(name: str) -> str:
    """As fields are written elsewhere: X-Api-Key, apiKey."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).replace("-", "_").lower()


def _redacted(text: str) -> str:
    if "://" in text:
        text = _QUERY.sub(_query, _USER_OF_URL.sub(f"{HIDDEN}@", text))
    return _TOKENS.sub(HIDDEN, _HEADER.sub(rf"\1{HIDDEN}", text))


def _query(match: re.Match[str]) -> str:
    name = _plain(match[2])
    secret = name in _SECRET_FIELDS or name.endswith(("_signature", "_token", "_credential", "_key"))
    return f"{match[1]}{HIDDEN}" if secret else match[0]
