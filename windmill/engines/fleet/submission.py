"""Which image of a request goes to which services next. All of it is in the database, so a request that runs again, in
any process, goes on where it was."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from windmill.core.setting_parts import DatabaseSettings
from windmill.engines.entries import FleetEntry
from windmill.kernels.media.image_header import dimensions
from windmill.kernels.net.artifact_urls import artifact_url
from windmill.storage.database import Connection, Pool
from windmill.storage.jobs import result_waits
from windmill.storage.jobs.result_waits import AskedServices
from windmill.storage.jobs.rows import TaskKey
from windmill.storage.queries import queries
from windmill.storage.transactions import transaction
from windmill.submit.entry_types import FoundImage
from windmill.submit.registration import BATCH_IMAGES, RegistrationCounts, register_batch
from windmill.submit.selection import ImageJobs, image_jobs

MOST_QUEUED = 10_000
"""While an urgent queue holds so many jobs, no more are submitted."""
MIN_LOOK_SECONDS, FULL_SECONDS = 0.5, 5.0
_HEAD_BYTES = 65_536


@dataclass(frozen=True)
class GivenPicture:
    """A picture of a request: what the request calls it, and the digest by which the store has it."""

    name: str
    sha256: str
    size: tuple[int, int] | None = None

    @staticmethod
    def of(name: str, path: Path, sha256: str) -> "GivenPicture":
        with path.open("rb") as file:
            return GivenPicture(name, sha256, dimensions(file.read(_HEAD_BYTES)))

    @property
    def found(self) -> FoundImage:
        width, height = self.size or (None, None)
        name = f"{self.name}-{self.sha256[:12]}"
        return FoundImage(name, None, artifact_url(self.sha256), width=width, height=height)


@dataclass(frozen=True)
class Round:
    """What is to be published now, and how far the request is: so many of its images are settled, and it is `over` when
    nothing is awaited any more. Else it looks again after so many seconds at the latest."""

    jobs: Sequence[ImageJobs]
    settled: int
    over: bool
    look_seconds: float


class Submission:
    """The images of one task and the services that look at them."""

    def __init__(
        self, pool: Pool, settings: DatabaseSettings, entry: FleetEntry, key: TaskKey, services: Sequence[str]
    ) -> None:
        self._pool, self._settings, self._entry = pool, settings, entry
        self._key, self._services = key, list(services)

    async def register(self, pictures: Sequence[GivenPicture], group: str) -> list[int]:
        """The ids of the pictures as images of the group, in their order. The group then says to which services they
        were submitted, as a producer's runs do."""
        async with transaction(self._pool, self._settings) as connection:
            found = [one.found for one in pictures]
            for first in range(0, len(found), BATCH_IMAGES):
                await register_batch(connection, found[first : first + BATCH_IMAGES], group, RegistrationCounts())
            rows = await connection.fetch(queries()["find_locations"], [one.location for one in found])
            ids = {row["location"]: row["image_id"] for row in rows}
            ordered = [ids[one.location] for one in found]
            span = (min(ordered), max(ordered), len(set(ordered)), len(set(ordered)) * len(self._services))
            await connection.execute(queries()["note_task_run"], self._services, group, *span)
            return ordered

    async def silent_services(self) -> list[str]:
        """Services that may have lost what they were sent."""
        async with transaction(self._pool, self._settings) as connection:
            return await result_waits.find_silent_services(connection, self._key, self._entry.resubmit_seconds)

    async def next_round(self, image_ids: Sequence[int], urgent_depths: Mapping[str, int]) -> Round:
        """Settle what is answered, and write down what is submitted next before it is published: a process that is
        killed in between may lose messages, which are found out by the silence, and sends none twice."""
        lost = [service for service, depth in urgent_depths.items() if not depth]
        async with transaction(self._pool, self._settings) as connection:
            submitted = await result_waits.lock_result_wait(connection, self._key)
            left = await result_waits.settle(connection, self._key, self._entry.timeout_seconds)
            again = await result_waits.send_again(connection, self._key, self._entry.resubmit_seconds, lost)
            has_room = max(urgent_depths.values(), default=0) < MOST_QUEUED
            room = self._entry.window - left.images if has_room else 0
            new, submitted = await self._take(connection, image_ids, submitted, room)
            new = await result_waits.await_answers(connection, self._key, new)
            left = await result_waits.count_awaited(connection, self._key)
            unsent = len(image_ids) - submitted
            wakes_at = -1 if not left.answers else left.answers // 2 if unsent else 0
            await result_waits.save_result_wait(connection, self._key, submitted, wakes_at)
        look = min(self._entry.resubmit_seconds, self._entry.timeout_seconds - left.seconds)
        look = look if left.answers else FULL_SECONDS
        jobs = image_jobs([_row(one) for one in (*again, *new)])
        return Round(jobs, submitted - left.images, not unsent and not left.answers, max(look, MIN_LOOK_SECONDS))

    async def note_unsent(self, images: Sequence[ImageJobs]) -> None:
        """The broker has not confirmed these."""
        asked = [AskedServices(one.job.image_id, one.services, None) for one in images]
        async with transaction(self._pool, self._settings) as connection:
            await result_waits.lock_result_wait(connection, self._key)
            await result_waits.note_unsent(connection, self._key, asked)

    async def forget(self) -> None:
        """The next try begins anew."""
        async with transaction(self._pool, self._settings) as connection:
            await result_waits.forget_result_wait(connection, self._key)

    async def _take(
        self, connection: Connection, image_ids: Sequence[int], submitted: int, room: int
    ) -> tuple[list[AskedServices], int]:
        """The next images that somebody has to look at, and how many of the request are submitted with them."""
        taken: list[AskedServices] = []
        while submitted < len(image_ids) and len(taken) < room:
            chunk = image_ids[submitted : submitted + room - len(taken)]
            asked = await result_waits.find_unanswered(connection, chunk, self._services)
            taken += asked
            submitted += len(chunk)
        return taken, submitted


def _row(asked: AskedServices) -> dict[str, object]:
    return {**asked.row, "services": list(asked.services), "urgent": True}
