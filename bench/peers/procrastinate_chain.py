"""Procrastinate: a task of the chain defers the next one when it is done, as its documentation chains tasks.

Jobs of a worker that is gone are retried by a periodic task, which its documentation shows too.
"""

# Types are checked where the library is not installed.
# mypy: disable-error-code="import-not-found, untyped-decorator"

import asyncio
import os
import sys

import procrastinate

from bench.chain_environment import STEPS, concurrency, serve_orders_async

STALLED_SECONDS = float(os.environ["BENCH_STALLED_SECONDS"])
app = procrastinate.App(
    connector=procrastinate.PsycopgConnector(conninfo=os.environ["BENCH_DSN"], max_size=concurrency() + 4)
)


@app.task(name="idle")
async def idle(number: int) -> None:
    if number + 1 < STEPS:
        await idle.defer_async(number=number + 1)


@app.periodic(cron="* * * * * */2")
@app.task(name="retry_stalled")
async def retry_stalled(timestamp: int) -> None:  # noqa: ARG001 - given to every periodic task
    for job in await app.job_manager.get_stalled_jobs(seconds_since_heartbeat=STALLED_SECONDS):
        await app.job_manager.retry_job(job)


async def work() -> None:
    async with app.open_async():
        await app.run_worker_async(
            concurrency=concurrency(),
            update_heartbeat_interval=STALLED_SECONDS / 3,
            stalled_worker_timeout=STALLED_SECONDS,
        )


async def submit() -> None:
    async with app.open_async():
        if not await app.check_connection_async():
            await app.schema_manager.apply_schema_async()
        await serve_orders_async(lambda: idle.defer_async(number=0))


if __name__ == "__main__":
    asyncio.run(submit() if "submit" in sys.argv else work())
