"""What is said outside of errors that are the operator's business: which settings are wrong, but no value, host or
folder. Pure."""

import re
from collections.abc import Sequence

from windmill.core.errors import ERROR_CODES, ConfigInvalid, WindmillError
from windmill.core.settings import defaults

_MOST_NAMES = 10


def is_private(error: WindmillError) -> bool:
    spec = ERROR_CODES[error.code]
    return spec.http_status >= 500 and spec.culprit in ("operator", "us")


def public_words(error: WindmillError) -> tuple[str, str]:
    """Message and remedy."""
    if error.code != "CONFIG_INVALID":
        return "what the gateway needs is not available; its log tells more", ERROR_CODES[error.code].remedy
    names = ", ".join(_settings_of(error))
    if not names:
        return (
            "the gateway has a wrong setting; its log tells more",
            "correct the settings named in the log of the gateway",
        )
    said = f"the gateway cannot work with what these settings say: {names}; its log tells more"
    return said, f"correct them, in .env or wherever you set them, and start the gateway again: {names}"


def _settings_of(error: WindmillError) -> Sequence[str]:
    if isinstance(error, ConfigInvalid):
        return [one.name for one in error.problems[:_MOST_NAMES]]
    words = re.findall(r"\b[A-Z][A-Z0-9_]+\b", f"{error.remedy} {error.message}")
    return list(dict.fromkeys(word for word in words if word in defaults()))[:_MOST_NAMES]
