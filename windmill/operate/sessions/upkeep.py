"""What time does to sessions: recordings that nobody ends expire, and sound that is not kept goes."""

import asyncio
import logging
from datetime import UTC, datetime

from windmill.core.errors import WindmillError
from windmill.core.setting_parts import TalkSettings
from windmill.storage.artifacts.store import ArtifactStore
from windmill.storage.artifacts.sweep import LEFT_OVER, delete_old
from windmill.storage.database import Pool
from windmill.storage.queries import queries
from windmill.storage.transactions import transaction

logger = logging.getLogger(__name__)

LOOK_SECONDS = 30.0


class SessionUpkeep:
    """Any number of processes do this; what one has locked, another leaves alone."""

    def __init__(self, pool: Pool, settings: TalkSettings, store: ArtifactStore, look: float = LOOK_SECONDS) -> None:
        self._pool, self._settings, self._store, self._look = pool, settings, store, look

    async def keep_up_for_ever(self) -> None:
        while True:
            try:
                await self.once()
            except WindmillError as error:
                logger.debug("put off", extra={"reason": str(error)})
            await asyncio.sleep(self._look)

    async def once(self) -> None:
        """All that is due now."""
        async with transaction(self._pool, self._settings) as rows:
            await rows.fetch(queries()["expire_recordings"], self._settings.talk_abandoned_hours * 3_600.0)
        if self._settings.talk_audio_retention != "keep":
            while await self._drop_one():
                pass

    async def _drop_one(self) -> bool:
        """Forget the sound of one session that is counted. Its bytes go if nobody else has them; those of the last day
        are left to `artifacts sweep`, as somebody may be storing the same ones just now."""
        async with transaction(self._pool, self._settings) as rows:
            row = await rows.fetchrow(queries()["next_session_with_audio"])
            if row is None:
                return False
            keeps_samples = self._settings.talk_audio_retention == "samples"
            gone = await rows.fetch(queries()["drop_chunks"], row["session_id"])
            gone += await rows.fetch(queries()["drop_sound"], row["job"], keeps_samples)
            await rows.execute(queries()["note_dropped_audio"], row["session_id"])
            sole = await rows.fetch(queries()["keys_nobody_has"], sorted({one["key"] for one in gone}))
        await delete_old(self._store, [one["key"] for one in sole], datetime.now(UTC) - LEFT_OVER)
        return True
