"""Taskiq over aio-pika: one process, a quorum queue, acknowledged when the task is done (its default)."""

# Types are checked where the library is not installed.
# mypy: disable-error-code="import-not-found, untyped-decorator"

import asyncio
from typing import Annotated, Any

import aiohttp
import asyncpg
from taskiq import Context, TaskiqDepends, TaskiqEvents, TaskiqState
from taskiq_aio_pika import AioPikaBroker, Queue, QueueType

from bench import plain_worker
from bench.peers.environment import AMQP, DSN, QUEUE, URL, jobs

broker = AioPikaBroker(AMQP).with_queue(Queue(name=QUEUE, type=QueueType.QUORUM))


@broker.on_event(TaskiqEvents.WORKER_STARTUP)
async def open_clients(state: TaskiqState) -> None:
    state.session = aiohttp.ClientSession()
    state.pool = await asyncpg.create_pool(DSN)


@broker.on_event(TaskiqEvents.WORKER_SHUTDOWN)
async def close_clients(state: TaskiqState) -> None:
    await state.session.close()
    await state.pool.close()


@broker.task(task_name="analyse")
async def analyse(job: dict[str, Any], context: Annotated[Context, TaskiqDepends()]) -> None:
    await plain_worker.analyse(job, URL, context.state.session, context.state.pool)


async def publish() -> None:
    await broker.startup()
    for each in jobs():
        await analyse.kiq(each)
    await broker.shutdown()


if __name__ == "__main__":
    asyncio.run(publish())
