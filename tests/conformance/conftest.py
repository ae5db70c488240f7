"""What seams are shown with: the stand-in in memory that unit tests use, and the real server behind the product."""

import pytest

from windmill.core.settings import Settings


@pytest.fixture(params=["in memory", pytest.param("real", marks=[pytest.mark.broker, pytest.mark.database])])
def real_settings(request: pytest.FixtureRequest) -> Settings | None:
    """None for the one in memory."""
    if request.param == "in memory":
        return None
    settings: Settings = request.getfixturevalue("settings")
    return settings
