"""Shutdown: finish the jobs that have begun within SHUTDOWN_GRACE_SECONDS; closing the session cancels the rest."""

import asyncio
import logging
from collections.abc import Sequence

from windmill.edge.service_consumer import ServiceConsumer

logger = logging.getLogger(__name__)


async def drain(consumers: Sequence[ServiceConsumer], grace_seconds: float) -> None:
    """Wait until every job in progress is done, at most for the grace. The broker redelivers unfinished ones."""
    try:
        async with asyncio.timeout(grace_seconds):
            await asyncio.gather(*(consumer.drained() for consumer in consumers))
    except TimeoutError:
        left = sum(consumer.state.in_progress for consumer in consumers)
        logger.warning("jobs not finished in SHUTDOWN_GRACE_SECONDS go back to the queue", extra={"jobs": left})
