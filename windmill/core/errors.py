"""The exceptions that carry the codes of windmill.core.error_codes.

    WindmillError             anything that ends with a code and a remedy
    └── ConfigInvalid         a list of problems in settings or service_config.json
    DataRefused               PostgreSQL is healthy but rejects this data; the writer decides what that means

The code is stored in `results.error_code`, counted, logged and shown.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from windmill.core.error_codes import ERROR_CODES, TOO_LARGE_REMEDY, Code, Culprit, ErrorSpec, Retry
from windmill.kernels.text.printable import shorten
from windmill.kernels.text.redaction import redactor

__all__ = [
    "ERROR_CODES",
    "MAX_MESSAGE",
    "TOO_LARGE_REMEDY",
    "Code",
    "ConfigInvalid",
    "Culprit",
    "DataRefused",
    "ErrorSpec",
    "Problem",
    "Retry",
    "WindmillError",
    "unexpected",
    "unreadable_file",
]

MAX_MESSAGE = 4_000
"""Characters of the message of an error."""

_redact = redactor()


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
