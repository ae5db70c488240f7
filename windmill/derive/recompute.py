"""Recomputing stale images: claim them, read, compute and write the difference, in one transaction."""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Generic, Protocol, TypeVar

from windmill.calling.service_state import ServiceState
from windmill.core.errors import DataRefused, WindmillError
from windmill.core.log_throttle import Throttle
from windmill.core.setting_parts import DerivationSettings
from windmill.core.stages import STAGES, Stage
from windmill.derive.claims import Claim, claim_stale_images, postpone_image, retry_seconds, take_stale_marks
from windmill.derive.waiting_stages import wake_waiting_stages
from windmill.process.runner import pause
from windmill.storage.database import Connection, Pool, translate_errors
from windmill.storage.transactions import transaction

logger = logging.getLogger(__name__)

S = TypeVar("S")
D = TypeVar("D")


PATIENT_POLLS = 8
"""So much more seldom than others a patient stage looks while marks come: then it takes more of them at once."""


REST, MOST_REST_SECONDS = 3.0, 0.25
"""A stage rests for three times as long as its last look took. A look costs the same statements however many images it
finds, so on a busy machine it finds more of them at once."""


class DerivedStage(Protocol[S, D]):
    """What a stage that computes has to define."""

    stage: Stage

    async def read(self, connection: Connection, image_ids: Sequence[int]) -> Mapping[int, S]:
        """The inputs of every image, also of one without results, and its present rows."""
        ...

    def compute(self, source: S) -> D:
        """Pure: no I/O and no clock."""
        ...

    async def write(self, connection: Connection, computed: Mapping[int, D]) -> int:
        """Write only what differs from the present rows; returns how many images changed."""
        ...


class RecomputeRunner(Generic[S, D]):
    """Runs a stage that computes. An image that fails is retried later and does not block the others."""

    def __init__(self, derived: DerivedStage[S, D], pool: Pool, settings: DerivationSettings) -> None:
        self.stage: Stage = derived.stage
        self.counts: Counter[str] = Counter()
        self.states: Iterable[ServiceState] = ()
        self.busy = False
        self._derived = derived
        self._pool = pool
        self._settings = settings
        self._one_by_one = 0
        polls = PATIENT_POLLS if STAGES[self.stage].patient else 1
        self._between_rounds = polls * settings.poll_milliseconds / 1000
        self._next_round = 0.0
        self._throttle = Throttle()

    async def __aenter__(self) -> "RecomputeRunner[S, D]":
        return self

    async def __aexit__(self, *_: object) -> None:
        return None

    async def run_round(self, stop: asyncio.Event) -> int:
        """Recompute the images of one transaction, a little later than those of the one before: answers that come
        together are looked at together."""
        began = time.monotonic()
        if began < self._next_round:
            await pause(stop, self._next_round - began)
            began = time.monotonic()
        most = 1 if self._one_by_one else self._settings.postprocess_images
        tries: dict[int, int] = {}
        found = 0
        try:
            async with claim_stale_images(self._pool, self._settings, self.stage, most) as claimed:
                tries, found = claimed.tries, claimed.found
                if tries:
                    await self._recompute(claimed)
        except DataRefused as error:
            await self._on_rejected(tries, error)
        self._one_by_one = max(0, self._one_by_one - 1)
        if found < most:
            rest = min(REST * (time.monotonic() - began), MOST_REST_SECONDS)
            self._next_round = began + max(self._between_rounds, rest)
        return found

    async def _recompute(self, claimed: Claim) -> None:
        sources = await self._read(claimed)
        computed: dict[int, D] = {}
        for image_id, source in sources.items():
            try:
                computed[image_id] = self._derived.compute(source)
            except Exception as error:  # noqa: BLE001 - a bug that one image triggers must not block the others
                await self._retry_later(claimed.connection, image_id, claimed.tries[image_id] + 1, error)
        changed = await self._derived.write(claimed.connection, computed)
        await wake_waiting_stages(claimed.connection, self.stage, list(computed))
        self.counts.update(looked_at=len(computed), changed=changed)

    async def _read(self, claimed: Claim) -> Mapping[int, S]:
        """The inputs of all images that can be read; a row that somebody wrote by hand may be anything."""
        try:
            with translate_errors(self._settings):
                return await self._derived.read(claimed.connection, claimed.image_ids)
        except (DataRefused, WindmillError):
            raise
        except Exception:  # noqa: BLE001 - which image it is shows below
            return await self._read_one_by_one(claimed)

    async def _read_one_by_one(self, claimed: Claim) -> dict[int, S]:
        sources: dict[int, S] = {}
        for image_id in claimed.image_ids:
            try:
                with translate_errors(self._settings):
                    sources |= await self._derived.read(claimed.connection, [image_id])
            except (DataRefused, WindmillError):
                raise
            except Exception as error:  # noqa: BLE001 - a row that one image has must not block the others
                await self._retry_later(claimed.connection, image_id, claimed.tries[image_id] + 1, error)
        return sources

    async def _on_rejected(self, tries: Mapping[int, int], error: DataRefused) -> None:
        """PostgreSQL rejects the row of some image: find out which by recomputing them one by one."""
        if len(tries) > 1:
            self._one_by_one = len(tries) + 1
            return
        async with transaction(self._pool, self._settings) as connection:
            for image_id, before in tries.items():
                await take_stale_marks(connection, self.stage, [image_id])
                await self._retry_later(connection, image_id, before + 1, error)

    async def _retry_later(self, connection: Connection, image_id: int, tries: int, error: Exception) -> None:
        seconds = retry_seconds(tries)
        await postpone_image(connection, self.stage, image_id, seconds, tries)
        self.counts["failed"] += 1
        if admitted := self._throttle.admit(type(error).__name__):
            context = {"stage": self.stage, "image_id": image_id, "tries": tries, "again_in_seconds": round(seconds)}
            logger.error("an image cannot be recomputed: %r", error, extra={**context, **admitted.extra()})
