"""A service as a test begins with it."""

from dataclasses import replace

from windmill.core.errors import Code, WindmillError
from windmill.core.services import load_fleet
from windmill.core.settings import ROOT, Settings

CLIP = replace(load_fleet(ROOT / "service_config.json").services["clip"], concurrency=4)
SETTINGS = Settings.from_env({"MAX_RETRIES": "3"})
SAID_500 = WindmillError("SERVICE_ERROR", "500")


def failing(code: Code) -> WindmillError:
    return WindmillError(code, "because")
