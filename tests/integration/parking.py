"""Parked and waiting jobs for tests, put where a worker or the broker would have left them."""

import asyncio
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from tests.integration.fleet import Fleet, Message
from tests.waiting import until
from windmill import broker


def body(image_id: int) -> bytes:
    return orjson.dumps({"image_id": image_id, "image_path": f"/pictures/{image_id}.jpg", "trace_id": "t"})


def reasons(code: str = "SERVICE_ERROR", ago: timedelta = timedelta(hours=1), **others: Any) -> dict[str, Any]:  # noqa: ANN401
    """The headers with which a worker parks a job."""
    return {
        "windmill-code": code,
        "windmill-reason": f"because of {code}",
        "windmill-worker": "worker-1",
        "windmill-failed-at": (datetime.now(UTC) - ago).isoformat(timespec="seconds"),
        "windmill-attempt": 3,
        **{name.replace("_", "-"): value for name, value in others.items()},
    }


async def put_all(fleet: Fleet, queue: str, jobs: Iterable[tuple[int, dict[str, Any]]]) -> None:
    """Into `queue`, which is called as the service is or with .failed behind that."""
    name = broker.work_queue(fleet.settings, queue)
    async with broker.connection(fleet.settings, "test") as opened, broker.publisher(opened, fleet.settings) as target:
        await asyncio.gather(*(target.to_queue(name, body(image_id), headers) for image_id, headers in jobs))


async def parked_jobs(fleet: Fleet, service: str, code: str, image_ids: Iterable[int]) -> None:
    await fleet.declare(service)
    await put_all(fleet, f"{service}.failed", [(image_id, reasons(code)) for image_id in image_ids])


async def holds(fleet: Fleet, queue: str, number: int) -> None:
    """Return once all of a queue's messages can be taken; those of a process that ended go back a moment later."""

    async def there() -> bool:
        return await fleet.depth(queue) == number

    await until(there, 15, f"{number} messages in {queue}")


async def ids(fleet: Fleet, queue: str) -> list[int]:
    return [message.image_id for message in await fleet.take_all(queue)]


async def messages(fleet: Fleet, queue: str) -> dict[int, Message]:
    return {message.image_id: message for message in await fleet.take_all(queue)}
