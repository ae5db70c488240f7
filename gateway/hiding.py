"""Documents that quote services and workers, without folders of the server."""

from typing import Any

from gateway.errors import hide_paths


def hide_paths_within(value: Any) -> Any:  # noqa: ANN401 - any JSON
    """The same document with every text as `hide_paths` leaves it."""
    if isinstance(value, str):
        return hide_paths(value)
    if isinstance(value, dict):
        return {name: hide_paths_within(one) for name, one in value.items()}
    return [hide_paths_within(one) for one in value] if isinstance(value, list | tuple) else value
