"""Tokens: messages in a step's queue that say no more than that there is work. Whoever takes one asks PostgreSQL for
the best task. They are topped up from what can be claimed, so a purge, a new broker and a crash before publishing heal
the same way, and a million tasks are a thousand messages."""

import asyncio
from collections.abc import Iterable, Mapping

from windmill.broker import Connection, Publisher, depths, work_queue
from windmill.core.setting_parts import BrokerSettings
from windmill.jobs.access import JobAccess
from windmill.storage.queries import queries
from windmill.storage.transactions import transaction

MOST_TOKENS = 1_000
"""More would wake nobody who is not awake."""
_TOKEN = b"{}"


async def publish_tokens(
    publisher: Publisher, settings: BrokerSettings, new_tasks: Mapping[str, int]
) -> Mapping[str, int]:
    """Tell the workers of these steps of so many new tasks. The number of tokens, by step."""
    published = {step: max(min(number, MOST_TOKENS), 0) for step, number in new_tasks.items()}
    for step, number in published.items():
        queue = work_queue(settings, step)
        await asyncio.gather(*(publisher.to_queue(queue, _TOKEN, {}) for _ in range(number)))
    return published


async def top_up(
    access: JobAccess, opened: Connection, publisher: Publisher, settings: BrokerSettings, steps: Iterable[str]
) -> Mapping[str, int]:
    """Publish the tokens that are missing: one for each task that can be claimed, up to a limit. One process at a time
    does this for a step; the others leave it at that. The number of tokens, by step."""
    published: dict[str, int] = {}
    for step in steps:
        async with transaction(access.pool, access.settings) as connection:
            if not await connection.fetchval(queries()["may_top_up"], step):
                continue
            claimable = await connection.fetchval(queries()["count_claimable"], step, MOST_TOKENS)
            if claimable:
                ready = (await depths(opened, settings, [step]))[step]
                published |= await publish_tokens(publisher, settings, {step: claimable - ready})
    return published
