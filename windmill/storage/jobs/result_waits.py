"""What tasks wait for that have asked services for answers: the tables result_waits and awaited_results."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from windmill.storage.database import Connection
from windmill.storage.jobs.rows import TaskKey
from windmill.storage.queries import queries


class AwaitedCount(NamedTuple):
    """What a task waits for, and for how many seconds already."""

    answers: int
    images: int
    seconds: float


@dataclass(frozen=True)
class AskedServices:
    """An image and the services that it is to be sent to; `row` has the columns of a job."""

    image_id: int
    services: tuple[str, ...]
    row: Any


async def lock_result_wait(connection: Connection, key: TaskKey) -> int:
    """Lock the row of the task, which is made if there is none; how many of its images were submitted."""
    await connection.execute(queries()["open_result_wait"], *key)
    return int(await connection.fetchval(queries()["lock_result_wait"], *key))


async def save_result_wait(connection: Connection, key: TaskKey, submitted: int, wakes_at: int) -> None:
    """Note how far the task has come, and that it is woken when no more than so many answers are left."""
    await connection.execute(queries()["save_result_wait"], *key, submitted, wakes_at)


async def is_wait_over(connection: Connection, key: TaskKey) -> bool:
    """Whether what the task waits for has come already. Nobody who writes an answer slips in before the transaction
    ends."""
    return bool(await connection.fetchval(queries()["is_wait_over"], *key))


async def settle(connection: Connection, key: TaskKey, give_up_seconds: float) -> AwaitedCount:
    """Take off what is answered, and what is not answered in time; what is left."""
    await connection.execute(queries()["settle_known_answers"], *key)
    await connection.execute(queries()["give_up_answers"], *key, give_up_seconds)
    return await count_awaited(connection, key)


async def count_awaited(connection: Connection, key: TaskKey) -> AwaitedCount:
    row = await connection.fetchrow(queries()["count_awaited"], *key)
    assert row
    return AwaitedCount(**row)


async def find_silent_services(connection: Connection, key: TaskKey, seconds: float) -> list[str]:
    """The services that may have lost what the task has sent them."""
    return [row["service"] for row in await connection.fetch(queries()["find_silent_services"], *key, seconds)]


async def send_again(
    connection: Connection, key: TaskKey, seconds: float, services: Sequence[str]
) -> list[AskedServices]:
    """What was never published, and what these services have not answered for so long."""
    return _asked(await connection.fetch(queries()["send_again"], *key, seconds, list(services)))


async def find_unanswered(
    connection: Connection, image_ids: Sequence[int], services: Sequence[str]
) -> list[AskedServices]:
    """Those of the images that some of the services have not answered."""
    found = _asked(await connection.fetch(queries()["find_unanswered"], list(image_ids), list(services)))
    return [one for one in found if one.services]


async def await_answers(connection: Connection, key: TaskKey, asked: Sequence[AskedServices]) -> list[AskedServices]:
    """From now on answers to these wake the task; those of them that it did not await yet."""
    rows = await connection.fetch(queries()["await_answers"], *key, *_pairs(asked))
    new = {(row["image_id"], row["service"]) for row in rows}
    kept = [replace(one, services=tuple(s for s in one.services if (one.image_id, s) in new)) for one in asked]
    return [one for one in {one.image_id: one for one in kept}.values() if one.services]


async def note_unsent(connection: Connection, key: TaskKey, asked: Sequence[AskedServices]) -> None:
    """These could not be published; the task does it when it runs next."""
    await connection.execute(queries()["note_unsent"], *key, *_pairs(asked))


async def forget_result_wait(connection: Connection, key: TaskKey) -> None:
    """The task waits for nothing any more."""
    await connection.execute(queries()["forget_result_wait"], *key)


async def find_answered_waits(connection: Connection) -> list[TaskKey]:
    """Tasks that wait although what they wait for is there."""
    rows = await connection.fetch(queries()["find_answered_waits"])
    return [TaskKey(row["job_id"], row["position"], row["shard"]) for row in rows]


async def forget_left_over_waits(connection: Connection) -> None:
    """What is left of tasks that have ended."""
    await connection.execute(queries()["forget_left_over_waits"])


def _asked(rows: Sequence[Any]) -> list[AskedServices]:
    return [AskedServices(row["image_id"], tuple(row["services"]), row) for row in rows]


def _pairs(asked: Sequence[AskedServices]) -> tuple[list[int], list[str]]:
    pairs = [(one.image_id, service) for one in asked for service in one.services]
    return [image_id for image_id, _ in pairs], [service for _, service in pairs]
