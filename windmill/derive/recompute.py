"""A stage whose rows follow from other rows: claim images, read, compute, write what differs, in one transaction."""

import asyncio
import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Generic, Protocol, TypeVar

from windmill.calling.service_state import ServiceState
from windmill.core.errors import DataRefused
from windmill.core.setting_parts import DerivationSettings
from windmill.core.stages import Stage
from windmill.core.throttle import Throttle
from windmill.derive.claims import Claim, claim, postpone, seconds_after_failures, take_marks, transaction
from windmill.storage.database import Connection, Pool

logger = logging.getLogger(__name__)

S = TypeVar("S")
D = TypeVar("D")


class Recipe(Protocol[S, D]):
    """What makes a stage this one: its reading, its kernel and its writing."""

    stage: Stage

    async def read(self, connection: Connection, image_ids: Sequence[int]) -> Mapping[int, S]:
        """What is known of each image, complete: an image without results is among them, too."""
        ...

    def compute(self, source: S) -> D:
        """Pure."""
        ...

    async def write(self, connection: Connection, computed: Mapping[int, D]) -> int:
        """Write what differs from what is there, and nothing else; returns for how many images that was so."""
        ...


class Recomputing(Generic[S, D]):
    """Rounds of a stage that computes. One image that cannot be done is put off, and holds up no other."""

    def __init__(self, recipe: Recipe[S, D], pool: Pool, settings: DerivationSettings) -> None:
        self.stage: Stage = recipe.stage
        self.counts: Counter[str] = Counter()
        self.states: Iterable[ServiceState] = ()
        self._recipe = recipe
        self._pool = pool
        self._settings = settings
        self._alone = 0
        self._throttle = Throttle()

    async def __aenter__(self) -> "Recomputing[S, D]":
        return self

    async def __aexit__(self, *_: object) -> None:
        return None

    async def round(self, stop: asyncio.Event) -> int:  # noqa: ARG002 - a round is short; stages that call services ask
        """One transaction's worth of images."""
        most = 1 if self._alone else self._settings.postprocess_images
        tries: dict[int, int] = {}
        found = 0
        try:
            async with claim(self._pool, self._settings, self.stage, most) as claimed:
                tries, found = claimed.tries, claimed.found
                if tries:
                    await self._recompute(claimed)
        except DataRefused as error:
            await self._refused(tries, error)
        self._alone = max(0, self._alone - 1)
        return found

    async def _recompute(self, claimed: Claim) -> None:
        sources = await self._recipe.read(claimed.connection, claimed.image_ids)
        computed: dict[int, D] = {}
        for image_id, source in sources.items():
            try:
                computed[image_id] = self._recipe.compute(source)
            except Exception as error:  # noqa: BLE001 - a fault of ours with one image must not hold up the others
                await self._put_off(claimed.connection, image_id, claimed.tries[image_id] + 1, error)
        changed = await self._recipe.write(claimed.connection, computed)
        self.counts.update(looked_at=len(computed), changed=changed)

    async def _refused(self, tries: Mapping[int, int], error: DataRefused) -> None:
        """PostgreSQL does not take what was computed of some image: find out which, by doing each alone."""
        if len(tries) > 1:
            self._alone = len(tries) + 1
            return
        async with transaction(self._pool, self._settings) as connection:
            for image_id, before in tries.items():
                await take_marks(connection, self.stage, [image_id])
                await self._put_off(connection, image_id, before + 1, error)

    async def _put_off(self, connection: Connection, image_id: int, tries: int, error: Exception) -> None:
        seconds = seconds_after_failures(tries)
        await postpone(connection, self.stage, image_id, seconds, tries)
        self.counts["failed"] += 1
        if admitted := self._throttle.admit(type(error).__name__):
            said = {"stage": self.stage, "image_id": image_id, "tries": tries, "again_in_seconds": round(seconds)}
            logger.error("an image cannot be done: %r", error, extra={**said, **admitted.extra()})
