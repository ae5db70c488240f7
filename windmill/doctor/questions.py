"""The doctor's SQL by name."""

from pathlib import Path

from windmill.queries import queries


def questions() -> dict[str, str]:
    return queries(Path(__file__).parent)
