"""Redaction of secrets in text: rather too much than too little."""

import json
import re
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import quote, quote_plus

HIDDEN = "***"
SHORT = 4

_WORDS = (
    r"pass(?:word|wd|phrase)?|pwd|secret|token|credential|signature|sig|cookie"
    r"|(?:api|access|account|private|shared)[_-]?key"
)
# `key` and `auth` only count as a whole name: `box_key` is not secret.
_NAME = rf"(?:(?:{_WORDS})s?(?:[_-]\w{{1,30}})?|(?<![\w-])(?:key|auth))"
_QUOTED = r"""b?"(?:[^"\\]|\\.)*"|b?'(?:[^'\\]|\\.)*'"""
# User and password of a URL. The password may contain unquoted characters; a port is not a password.
_AT_URL = re.compile(r"(?<=://)(?:[^\s/?#]{0,1000}|[^\s/?#@:]{0,1000}:(?!\d{0,5}[/?#])[^\s@]{0,1000})@")
# The same without its scheme, and a password that was taken for a port: Python quotes both when it cannot parse a URL.
_AT_HOST = re.compile(r"[^\s/?#@:'\"]{1,256}:(?!//|\d{0,5}[/?#])[^\s@'\"]{1,1000}@")
_NO_PORT = re.compile(r"(?<=cast to integer value as )(?:'[^']*'|\"[^\"]*\")")
# The rest of a header line, or its quoted value.
_HEADER = re.compile(rf"(authorization(?:[\"'\\]+\s?,|[\"'\\]*\s?[:=])\s?)(?:{_QUOTED}|[^\r\n]+)", re.IGNORECASE)
_SCHEME = re.compile(r"(\b(?:[Bb]earer|BEARER|Basic)\s)[\w.~+/=-]{6,}")
_PAIR = re.compile(rf"({_NAME}[\"'\\]*\s{{0,9}}[:=]\s{{0,9}})(?:{_QUOTED}|[^\s&]+)", re.IGNORECASE)
# Every match contains one of these words; searching for them first costs a hundredth of the regular expression.
_SIGNS = (
    (("authorization",), _HEADER),
    (("bearer", "basic"), _SCHEME),
    (("pass", "pwd", "secret", "token", "credential", "sig", "cookie", "key", "auth"), _PAIR),
)
_ALL_SIGNS = ("@", "integer value", *(sign for signs, _ in _SIGNS for sign in signs))
_SECRET_NAME = re.compile(rf"(?:{_NAME}|authorization)\Z", re.IGNORECASE)


def names_secret(name: str) -> bool:
    """Whether a value under this name must be redacted."""
    return bool(_SECRET_NAME.search(name))


class Redactor:
    """Redacts these values, and anything that looks like a secret."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._forms = {form for value in secrets if value for form in _written(value)}
        self._values = re.compile("|".join(_pattern(form) for form in sorted(self._forms, key=len, reverse=True)))

    def __call__(self, text: str) -> str:
        if any(form in text for form in self._forms):
            text = self._values.sub(HIDDEN, text)
        if "://" in text and "@" in text:
            text = _AT_URL.sub(HIDDEN + "@", text)
        if "@" in text and ":" in text:
            text = _AT_HOST.sub(HIDDEN + "@", text)
        if "integer value" in text:
            text = _NO_PORT.sub(HIDDEN, text)
        small = text.lower()
        for signs, pattern in _SIGNS:
            if any(sign in small for sign in signs):
                text = pattern.sub(rf"\1{HIDDEN}", text)
        return text

    def finds_nothing(self, text: str) -> bool:
        """Whether this, and every part of it, stays as it is, as there is none of the signs that anything is sought by.
        A text without them may be asked about as a whole, which costs less than to redact each of its parts."""
        small = text.lower()
        for sign in _ALL_SIGNS:
            if sign in small:
                return False
        return not any(form in text for form in self._forms)


def redactor(secrets: Iterable[str] = ()) -> Redactor:
    """What redacts these values, and anything that looks like a secret."""
    return Redactor(secrets)


def redact_document(value: Any, redact: Callable[[str], str]) -> Any:  # noqa: ANN401 - any value in, any JSON out
    """A document with every text in it redacted, and whatever stands under the name of a secret."""
    if isinstance(value, dict):
        return {
            redact(str(key)): HIDDEN if names_secret(str(key)) else redact_document(inner, redact)
            for key, inner in value.items()
        }
    if isinstance(value, list | tuple | set | frozenset):
        return [redact_document(inner, redact) for inner in value]
    return value if value is None or isinstance(value, bool | int | float) else redact(str(value))


def _written(value: str) -> set[str]:
    """A value as is, and as quoted in URLs, JSON and Python."""
    return {
        value,
        quote(value, safe="", errors="replace"),
        quote(value, errors="replace"),
        quote_plus(value, errors="replace"),
        json.dumps(value)[1:-1],
        json.dumps(value, ensure_ascii=False)[1:-1],
        repr(value)[1:-1],
        repr(value.encode(errors="replace"))[2:-1],
    }


def _pattern(form: str) -> str:
    """A short value is only redacted as a whole word, because it may be part of any word."""
    return re.escape(form) if len(form) >= SHORT else rf"(?<!\w){re.escape(form)}(?!\w)"
