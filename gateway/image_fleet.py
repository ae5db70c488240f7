"""What the nouns of the image fleet share in one process: the services, the status of a moment ago, files of images,
and a connection for jobs that are sent at once."""

import asyncio
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass

from windmill.core.errors import ConfigInvalid
from windmill.core.image_places import PlaceRules, told_root
from windmill.core.services import Fleet, load_fleet
from windmill.core.settings import Settings
from windmill.operate.images.files import ImageFiles
from windmill.operate.status.figures import FleetStatus
from windmill.operate.status.history import AnswerHistory
from windmill.operate.status.reading import LOST_SECONDS, StatusReader
from windmill.storage.database import Pool
from windmill.submit.job_sender import JobSender
from windmill.submit.uploads import UploadFolder

STATUS_SECONDS, FLEET_SECONDS = 1.0, 5.0
"""How long what was read is believed."""
RECENT_SECONDS = 10.0
"""So old may the lengths of queues be that somebody is shown: they are asked for again meanwhile."""


@dataclass(frozen=True)
class _KnownStatus:
    """What was read, when, and how old what the broker told may have been then."""

    at: float
    status: FleetStatus
    recent: float


class ImageFleet:
    """Enter it with `async with`. Mutable."""

    def __init__(self, settings: Settings, pool: Pool, title: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings, self._pool, self._clock = settings, pool, clock
        self.files = ImageFiles(settings)
        self.sender = JobSender(settings, f"{title} trying")
        self.uploads = UploadFolder(settings.gateway_uploads_dir, settings.image_root, settings.max_image_bytes)
        self.places = PlaceRules(told_root(settings), settings.gateway_uploads_dir.resolve())
        self.history = AnswerHistory(pool, settings)
        self._fleet: tuple[float, Fleet] | None = None
        self._reader: StatusReader | None = None
        self._status: _KnownStatus | None = None
        self._reading, self._loading = asyncio.Lock(), asyncio.Lock()
        self._opened = AsyncExitStack()

    async def __aenter__(self) -> "ImageFleet":
        await self._opened.enter_async_context(self.files)
        self._opened.push_async_callback(self.sender.close)
        self._opened.push_async_callback(self.history.close)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._opened.aclose()
        if self._reader:
            await self._reader.close()

    async def fleet(self) -> Fleet:
        """The services, read again every few seconds: one that is added needs no restart."""
        async with self._loading:
            return await self._current_fleet()

    async def status(self) -> FleetStatus:
        """Raises DATABASE_UNAVAILABLE; without the broker its numbers are unknown."""
        return await self._read_status(0.0)

    async def recent_status(self) -> FleetStatus:
        """The same for people who look: what the broker tells may be some seconds old, so that no page waits for it."""
        if self._status and self._reading.locked() and self._clock() - self._status.at < RECENT_SECONDS:
            return self._status.status
        return await self._read_status(RECENT_SECONDS)

    async def _read_status(self, recent: float) -> FleetStatus:
        async with self._reading:
            known = self._status
            if known is None or known.recent > recent or self._clock() - known.at >= STATUS_SECONDS:
                reader = await self._current_reader()
                status = await reader.read(recent)
                if reader.database_error:
                    raise reader.database_error
                self._status = known = _KnownStatus(self._clock(), status, recent)
            return known.status

    def checked_uploads(self) -> UploadFolder:
        """Raises CONFIG_INVALID if the folder is not where workers read."""
        if trouble := self.uploads.trouble():
            raise ConfigInvalid([trouble])
        return self.uploads

    def forget_status(self) -> None:
        """What people want has changed, here."""
        self._status = None

    async def _current_fleet(self) -> Fleet:
        if self._fleet is None or self._clock() - self._fleet[0] >= FLEET_SECONDS:
            fleet = await asyncio.to_thread(load_fleet, self._settings.service_config)
            self._fleet = (self._clock(), fleet)
        return self._fleet[1]

    async def _current_reader(self) -> StatusReader:
        services = list((await self.fleet()).services.values())
        if self._reader and self._reader.names != [one.name for one in services]:
            await self._reader.close()
            self._reader = None
        if self._reader is None:
            self._reader = StatusReader(self._settings, services, self._pool, LOST_SECONDS)
        return self._reader
