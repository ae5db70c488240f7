"""What tests of the delivery processor share."""

from dataclasses import replace

from windmill.core.errors import Code, WindmillError
from windmill.core.services import load_fleet
from windmill.core.settings import ROOT, Settings

CLIP = replace(load_fleet(ROOT / "service_config.json").services["clip"], concurrency=2)
SETTINGS = Settings.from_env({"WORKER_ID": "me", "RETRY_DELAYS": "5,10", "MAX_RETRIES": "3", "DELIVERY_LIMIT": "3"})


def failing(code: Code, retry_after: float | None = None) -> WindmillError:
    return WindmillError(code, "because", retry_after=retry_after, reached=code != "SERVICE_UNREACHABLE")
