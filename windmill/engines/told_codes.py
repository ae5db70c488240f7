"""The error code that a server names itself. Its words are never searched for one."""

from windmill.core.error_names import code_named
from windmill.core.errors import Code

MAY_TELL: frozenset[Code] = frozenset(
    ["SAFETY_FILTER", "OUT_OF_MEMORY", "DEPENDENCY_MISSING", "INSUFFICIENT_DISK_SPACE", "ENGINE_TIMEOUT", "USAGE"]
)
"""What only the engine can know of a request; whether it is well, Windmill finds out itself."""


def told_code(document: object) -> Code | None:
    """What stands under `error_code`, or under `code` of the error; None if it is not one of these codes."""
    if not isinstance(document, dict):
        return None
    error = document.get("error")
    named = document.get("error_code") or (error.get("code") if isinstance(error, dict) else None)
    code = code_named(named)
    return code if code in MAY_TELL else None
