"""Asking services again what they answered while they were blind. Any worker of the service does it."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from windmill import broker
from windmill.core.errors import WindmillError
from windmill.core.messages import Job, encode
from windmill.core.settings import Settings
from windmill.storage.database import Pool, translate_errors
from windmill.storage.queries import queries

logger = logging.getLogger(__name__)

CHECK_SECONDS = 10.0
BATCH_IMAGES = 500


async def ask_again_for_ever(pool: Pool, settings: Settings, services: Sequence[str], title: str) -> None:
    """Look for marked answers of these services, and publish their jobs again; connects only if there are some."""
    while services:
        await asyncio.sleep(CHECK_SECONDS)
        try:
            with translate_errors(settings):
                found = await pool.fetchval(queries()["blind_answers_exist"], list(services))
            if found:
                await _ask_again(pool, settings, services, title)
        except WindmillError as error:
            logger.debug("answers of a blind service are asked for later: %s", error)


async def _ask_again(pool: Pool, settings: Settings, services: Sequence[str], title: str) -> None:
    async with (
        broker.connection(settings, f"{title} asking again") as opened,
        broker.publisher(opened, settings) as target,
    ):
        while asked := await ask_batch_again(pool, settings, services, target.to_services):
            logger.info("asks again what was answered by a blind service", extra={"n": asked})


async def ask_batch_again(
    pool: Pool,
    settings: Settings,
    services: Sequence[str],
    publish: Callable[[bytes, Sequence[str]], Awaitable[None]],
) -> int:
    """Publish some jobs and take their marks off in one transaction, so that none is lost; returns how many marks."""
    with translate_errors(settings):
        async with pool.acquire() as connection, connection.transaction():
            rows = await connection.fetch(queries()["take_blind_answers"], list(services), BATCH_IMAGES)
            jobs = [(row["service"], _job(dict(row))) for row in rows if row["image_id"] is not None]
            await asyncio.gather(*(publish(encode(job), [service]) for service, job in jobs))
    return len(rows)


def _job(row: Mapping[str, Any]) -> Job:
    image = {name: row[name] for name in ("image_id", "image_filename", "image_path", "image_url")}
    return Job(**image, submitted_at=datetime.now(UTC))
