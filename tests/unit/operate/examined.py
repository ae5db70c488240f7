"""What tests of the doctor share."""

from datetime import UTC, datetime
from typing import Any

from windmill.core.settings import Settings

SETTINGS = Settings.from_env({})
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def server(**changes: object) -> dict[str, Any]:
    well = {"version": "16.2", "tls": False, "encoding": "UTF8", "standby": False, "bytes": 7, "tablespace": "t"}
    return {**well, **changes}
