"""Parts of a document that a server sent and that may be anything. Pure."""

from typing import Any


def as_object(value: object) -> dict[str, Any]:
    """The object, or an empty one in place of anything else."""
    return value if isinstance(value, dict) else {}


def as_list(value: object) -> list[Any]:
    """The list, or an empty one in place of anything else."""
    return value if isinstance(value, list) else []
