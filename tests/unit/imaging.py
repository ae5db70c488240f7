"""What tests of reading images share: jobs, a source with few settings, and how a read is refused."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from windmill.core.errors import WindmillError
from windmill.core.messages import Job
from windmill.core.settings import Settings
from windmill.media.image.source import ImageSource

JPEG = b"\xff\xd8\xff\xe0 the rest of a picture"
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def at_path(path: str | Path) -> Job:
    return Job(1, "1.jpg", str(path), None, NOON)


def at_url(url: str) -> Job:
    return Job(1, "1.jpg", None, url, NOON)


@asynccontextmanager
async def source(
    root: Path, allow: str = "", most: int = 2048, pixels: int = 10_000, url_seconds: float = 30
) -> AsyncIterator[ImageSource]:
    environ = {
        "IMAGE_ROOT": str(root),
        "IMAGE_URL_ALLOW": allow,
        "MAX_IMAGE_BYTES": str(most),
        "MAX_IMAGE_PIXELS": str(pixels),
    }
    async with ImageSource(Settings.from_env(environ), url_seconds) as opened:
        yield opened


async def refusal(images: ImageSource, job: Job) -> WindmillError:
    with pytest.raises(WindmillError) as error:
        async with asyncio.timeout(10):
            await images.read(job)
    return error.value


async def refused(images: ImageSource, job: Job) -> tuple[str, str]:
    error = await refusal(images, job)
    return error.code, error.retry
