"""The counts of a scenario, for whoever watches."""

import sys

import pytest


def tell(capsys: pytest.CaptureFixture[str], line: str) -> None:
    """Print one line, also where output is captured."""
    with capsys.disabled():
        sys.stdout.write(f"\n  {line}\n")
        sys.stdout.flush()
