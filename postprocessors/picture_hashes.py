"""Keeps a perceptual hash of each registered picture, by which pictures that look alike are found:
python -m postprocessors.picture_hashes

Any number of these may run. Each reads the pictures itself, from where workers read them, and decodes them in child
processes of bounded memory. It calls no service. .env.example describes every setting.
"""

import asyncio
import logging
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from postprocessors.stage_loop import StageRunner, start
from windmill.calling.service_state import ServiceState
from windmill.core.errors import Code, WindmillError
from windmill.core.log_throttle import Throttle
from windmill.core.messages import Job
from windmill.core.services import Fleet
from windmill.core.settings import Settings
from windmill.core.stages import Stage
from windmill.derive.claims import retry_seconds
from windmill.derive.leases import Lease, end_lease, hold_lease, postpone_lease, take_lease
from windmill.kernels.pictures.perceptual_hash import VERSION
from windmill.media.image.change import read_marks
from windmill.media.image.decoder import CHILDREN, ImageDecoder
from windmill.media.image.hashing import PictureHash
from windmill.media.image.source import ImageSource
from windmill.process.runner import background
from windmill.storage.database import Connection, Pool, translate_errors
from windmill.storage.queries import queries
from windmill.storage.transactions import transaction

logger = logging.getLogger("postprocessors")

PICTURES = 16
"""So many are leased at once, and written in one transaction."""
AT_ONCE = 2 * CHILDREN
"""While some are decoded, the next are read."""
PART_OF_LEASE = 0.8
"""All pictures are given back before their lease ends, whatever the servers do from which they are read."""
STORE_AWAY_SECONDS = 30.0


class Hasher(Protocol):
    """The part of the decoder that hashes pictures."""

    async def hash(self, image: bytes) -> PictureHash: ...


@dataclass(frozen=True)
class HashedPicture:
    """A row of `picture_hashes`: a hash, or why there is none."""

    made: PictureHash | None = None
    fingerprint: int | None = None
    error_code: Code | None = None


@dataclass(frozen=True)
class LaterAgain:
    """A picture that could not be read for now; with `failed` that counts as a try."""

    seconds: float
    failed: bool


Ended = HashedPicture | LaterAgain
GIVEN_BACK = LaterAgain(0.0, failed=False)


class HashRunner:
    """Runs the stage `hash`. Reading pictures takes its time, so it holds leases instead of a transaction meanwhile."""

    stage: Stage = "hash"

    def __init__(
        self,
        pool: Pool,
        settings: Settings,
        read: Callable[[Job], Awaitable[bytes]],
        hasher: Hasher,
        parts: Sequence[AbstractAsyncContextManager[Any]] = (),
    ) -> None:
        """`parts` are context managers that the runner enters."""
        self.counts: Counter[str] = Counter()
        self.states: Iterable[ServiceState] = ()
        self.busy = False
        self._pool = pool
        self._settings = settings
        self._read = read
        self._hasher = hasher
        self._parts = parts
        self._at_once = asyncio.Semaphore(AT_ONCE)
        self._throttle = Throttle()
        self._opened = AsyncExitStack()

    async def __aenter__(self) -> "HashRunner":
        for part in self._parts:
            await self._opened.enter_async_context(part)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._opened.aclose()

    async def run_round(self, stop: asyncio.Event) -> int:
        """Lease some pictures, hash them, and write the hashes of all in one transaction."""
        if stop.is_set():
            return 0
        lease = await take_lease(self._pool, self._settings, self.stage, PICTURES)
        if lease.tries:
            jobs = await self._registered(lease)
            await self._write(lease, await self._hash_until(stop, jobs, lease.tries))
        return lease.found

    async def _hash_until(
        self, stop: asyncio.Event, jobs: Mapping[int, Job], tries: Mapping[int, int]
    ) -> dict[int, Ended]:
        """What becomes of each picture; those that are not done when `stop` is set are given back at once."""
        tasks = {one: asyncio.create_task(self._hash_by(job, tries[one])) for one, job in jobs.items()}
        async with background(_cancel_when(stop, tasks.values())):
            await asyncio.gather(*tasks.values(), return_exceptions=True)
        return {one: GIVEN_BACK if task.cancelled() else task.result() for one, task in tasks.items()}

    async def _registered(self, lease: Lease) -> dict[int, Job]:
        """Those of the images that are still there, and no copies of others."""
        with translate_errors(self._settings):
            rows = await self._pool.fetch(queries()["read_pictures_to_hash"], list(lease.tries))
        now = datetime.now(UTC)
        return {row["image_id"]: Job(**row, submitted_at=now) for row in rows}

    async def _hash_by(self, job: Job, tries: int) -> Ended:
        """What becomes of a picture within its lease."""
        if tries >= self._settings.delivery_limit:
            return HashedPicture(error_code="WORKER_LOST")
        try:
            async with asyncio.timeout(PART_OF_LEASE * self._settings.lease_seconds):
                return await self._hash(job)
        except TimeoutError:
            return LaterAgain(retry_seconds(tries + 1), failed=True)
        except WindmillError as error:
            return self._ended_by(error, job, tries)
        except Exception:
            logger.exception("a picture cannot be hashed", extra={"image_id": job.image_id, "tries": tries})
            return LaterAgain(retry_seconds(tries + 1), failed=True)

    async def _hash(self, job: Job) -> HashedPicture:
        async with self._at_once:
            image = await self._read(job)
            return HashedPicture(await self._hasher.hash(image), read_marks(image).fingerprint)

    def _ended_by(self, error: WindmillError, job: Job, tries: int) -> Ended:
        if admitted := self._throttle.admit(error.code):
            context = {"image_id": job.image_id, "code": error.code, "reason": error.message}
            logger.info("a picture cannot be hashed", extra={**context, **admitted.extra()})
        if error.retry == "never" or (error.retry != "pause" and tries + 1 >= self._settings.delivery_limit):
            return HashedPicture(error_code=error.code)
        if error.retry == "pause":
            return LaterAgain(STORE_AWAY_SECONDS, failed=False)
        return LaterAgain(retry_seconds(tries + 1), failed=True)

    async def _write(self, lease: Lease, ended: Mapping[int, Ended]) -> None:
        """Of those images whose lease is still ours; of one that is gone the row is deleted."""
        async with transaction(self._pool, self._settings) as connection:
            held = [one for one in sorted(lease.tries) if await hold_lease(connection, self.stage, one, lease.token)]
            rows = {one: made for one in held if isinstance(made := ended.get(one), HashedPicture)}
            await _write_rows(connection, rows, gone=[one for one in held if one not in ended])
            for one in held:
                match ended.get(one):
                    case LaterAgain(seconds, failed):
                        await postpone_lease(connection, self.stage, one, lease.token, seconds, failed=failed)
                    case _:
                        await end_lease(connection, self.stage, one, lease.token)
        unread = sum(one.made is None for one in rows.values())
        self.counts.update(looked_at=len(held), changed=len(rows) - unread, failed=unread)


async def _cancel_when(stop: asyncio.Event, tasks: Iterable[asyncio.Task[Ended]]) -> None:
    await stop.wait()
    for one in tasks:
        one.cancel()


async def _write_rows(connection: Connection, rows: Mapping[int, HashedPicture], gone: Sequence[int]) -> None:
    sql = queries()
    if rows:
        columns = zip(*(_columns(image_id, one) for image_id, one in rows.items()), strict=True)
        await connection.execute(sql["write_hashes"], *map(list, columns), VERSION)
    if gone:
        await connection.execute(sql["delete_hashes"], gone)


def _columns(image_id: int, one: HashedPicture) -> tuple[object, ...]:
    made = (one.made.phash, one.made.width, one.made.height) if one.made else (None, None, None)
    return (image_id, *made, one.fingerprint, one.error_code)


def make_runner(pool: Pool, settings: Settings, _: Fleet) -> StageRunner:
    images, decoder = ImageSource(settings), ImageDecoder(settings)
    return HashRunner(pool, settings, images.read, decoder, parts=(images, decoder))


if __name__ == "__main__":
    sys.exit(start(__doc__ or "", "picture_hashes", make_runner))
