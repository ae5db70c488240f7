"""Taking secrets out of text that people will read: too much rather than too little."""

import json
import re
from collections.abc import Callable, Iterable
from urllib.parse import quote, quote_plus

HIDDEN = "***"
SHORT = 4

_WORDS = (
    r"pass(?:word|wd|phrase)?|pwd|secret|token|credential|signature|sig|cookie"
    r"|(?:api|access|account|private|shared)[_-]?key"
)
# What only a name of its own means: `box_key` holds no secret.
_NAME = rf"(?:(?:{_WORDS})s?(?:[_-]\w{{1,30}})?|(?<![\w-])(?:key|auth))"
_QUOTED = r"""b?"(?:[^"\\]|\\.)*"|b?'(?:[^'\\]|\\.)*'"""
# Who is at a URL. Its password may hold what should have been quoted; but a port is none.
_AT_URL = re.compile(r"(?<=://)(?:[^\s/?#]{0,1000}|[^\s/?#@:]{0,1000}:(?!\d{0,5}[/?#])[^\s@]{0,1000})@")
# The rest of a header's line, or what is in its quotes.
_HEADER = re.compile(rf"(authorization(?:[\"'\\]+\s?,|[\"'\\]*\s?[:=])\s?)(?:{_QUOTED}|[^\r\n]+)", re.IGNORECASE)
_SCHEME = re.compile(r"(\b(?:[Bb]earer|BEARER|Basic)\s)[\w.~+/=-]{6,}")
_PAIR = re.compile(rf"({_NAME}[\"'\\]*\s{{0,9}}[:=]\s{{0,9}})(?:{_QUOTED}|[^\s&]+)", re.IGNORECASE)
# One of these stands in whatever a pattern finds. To look for them first costs a hundredth of looking for the pattern.
_SIGNS = (
    (("authorization",), _HEADER),
    (("bearer", "basic"), _SCHEME),
    (("pass", "pwd", "secret", "token", "credential", "sig", "cookie", "key", "auth"), _PAIR),
)
_SECRET_NAME = re.compile(rf"(?:{_NAME}|authorization)\Z", re.IGNORECASE)


def names_secret(name: str) -> bool:
    """Whether what goes by this name is not to be shown, whatever it is."""
    return bool(_SECRET_NAME.search(name))


def redactor(secrets: Iterable[str] = ()) -> Callable[[str], str]:
    """A function that hides these values, and whatever looks as a secret does, in a text."""
    forms = {form for value in secrets if value for form in _written(value)}
    values = re.compile("|".join(_pattern(form) for form in sorted(forms, key=len, reverse=True)))

    def redact(text: str) -> str:
        if any(form in text for form in forms):
            text = values.sub(HIDDEN, text)
        if "://" in text and "@" in text:
            text = _AT_URL.sub(HIDDEN + "@", text)
        small = text.lower()
        for signs, pattern in _SIGNS:
            if any(sign in small for sign in signs):
                text = pattern.sub(rf"\1{HIDDEN}", text)
        return text

    return redact


def _written(value: str) -> set[str]:
    """A value as it is, and as URLs, JSON and Python would write it."""
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
    """A short one is only hidden where it stands alone: it may be part of any word."""
    return re.escape(form) if len(form) >= SHORT else rf"(?<!\w){re.escape(form)}(?!\w)"
