"""FastStream over aio-pika: a quorum queue with Windmill's own messages, acknowledged when the handler is done."""

# Types are checked where the library is not installed.
# mypy: disable-error-code="import-not-found, untyped-decorator"

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

import aiohttp
import asyncpg
from faststream import AckPolicy, Context, ContextRepo, FastStream
from faststream.rabbit import Channel, QueueType, RabbitBroker, RabbitQueue

from bench import plain_worker
from bench.peers.environment import AMQP, CONCURRENCY, DSN, QUEUE, URL

broker = RabbitBroker(AMQP, default_channel=Channel(prefetch_count=CONCURRENCY), logger=None)
queue = RabbitQueue(QUEUE, queue_type=QueueType.QUORUM, durable=True)


@asynccontextmanager
async def clients(context: ContextRepo) -> AsyncIterator[None]:
    async with aiohttp.ClientSession() as session, asyncpg.create_pool(DSN) as pool:
        context.set_global("session", session)
        context.set_global("pool", pool)
        yield


app = FastStream(broker, logger=None, lifespan=clients)


@broker.subscriber(queue, ack_policy=AckPolicy.NACK_ON_ERROR)
async def analyse(
    job: dict[str, Any],
    session: Annotated[aiohttp.ClientSession, Context()],
    pool: Annotated[asyncpg.Pool, Context()],
) -> None:
    await plain_worker.analyse(job, URL, session, pool)
