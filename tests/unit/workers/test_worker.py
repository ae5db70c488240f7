"""The worker's command line."""

import asyncio

import pytest

from windmill.core.errors import ConfigInvalid, WindmillError
from windmill.core.settings import Settings
from workers.generic import main


async def test_a_worker_without_a_service_is_a_config_error() -> None:
    with pytest.raises(ConfigInvalid, match="SERVICE_NAME=''"):
        await main(Settings.from_env({}), asyncio.Event())


async def test_a_worker_for_an_unknown_service_suggests_a_similar_one() -> None:
    with pytest.raises(WindmillError, match="unknown service or set 'yolo8'") as refused:
        await main(Settings.from_env({"SERVICE_NAME": "clip,yolo8"}), asyncio.Event())
    assert "did you mean 'yolov8'?" in refused.value.remedy
