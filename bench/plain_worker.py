"""The asyncio worker that everyone writes first: aio-pika, aiohttp, asyncpg, each as its own front page shows it.

    python bench/plain_worker.py AMQP_URL QUEUE DSN SERVICE_URL CONCURRENCY

It runs on the event loop of asyncio and not on uvloop, which has to be asked for. It is neither crippled nor tuned: one
INSERT for each row, an acknowledgement after it, as many deliveries at a time as calls are allowed.
"""

import asyncio
import json
import signal
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import aio_pika
import aiohttp
import asyncpg

INSERT = """
INSERT INTO results (image_id, service, data, status, processing_time, worker_id, submitted_at)
VALUES ($1, 'yolov8', $2, 'success', $3, 'bench', $4)
ON CONFLICT (image_id, service) DO UPDATE SET data = excluded.data, processing_time = excluded.processing_time
"""


async def analyse(job: dict[str, Any], url: str, session: aiohttp.ClientSession, pool: asyncpg.Pool) -> None:
    """Read the image, ask the service, store what it says."""
    image = Path(job["image_path"]).read_bytes()  # noqa: ASYNC240 - on the loop, as everyone writes it first
    form = aiohttp.FormData()
    form.add_field("file", image, filename=job["image_filename"], content_type="image/jpeg")
    async with session.post(url, data=form) as response:
        response.raise_for_status()
        reply = await response.json()
    submitted_at = datetime.fromisoformat(job["submitted_at"])
    seconds = reply["metadata"]["processing_time"]
    await pool.execute(INSERT, job["image_id"], json.dumps(reply), seconds, submitted_at)


async def main(amqp: str, queue_name: str, dsn: str, url: str, concurrency: str) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    connection = await aio_pika.connect_robust(amqp)
    async with connection, aiohttp.ClientSession() as session, asyncpg.create_pool(dsn) as pool:
        channel = await connection.channel()
        await channel.set_qos(prefetch_count=int(concurrency))
        queue = await channel.declare_queue(queue_name, durable=True, arguments={"x-queue-type": "quorum"})

        async def on_message(message: aio_pika.abc.AbstractIncomingMessage) -> None:
            try:
                await analyse(json.loads(message.body), url, session, pool)
            except Exception:
                await message.nack(requeue=True)
                raise
            await message.ack()

        await queue.consume(on_message)
        await stop.wait()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
