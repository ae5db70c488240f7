"""What the nouns of the image fleet share in one process: the services, the status of a moment ago, files of images,
and a connection for jobs that are sent at once."""

import asyncio
import time
from collections.abc import Callable
from contextlib import AsyncExitStack

from windmill.core.errors import ConfigInvalid
from windmill.core.services import Fleet, load_fleet
from windmill.core.settings import Settings
from windmill.operate.images.files import ImageFiles
from windmill.operate.images.reading import PlaceRules
from windmill.operate.status.figures import FleetStatus
from windmill.operate.status.history import AnswerHistory
from windmill.operate.status.reading import LOST_SECONDS, StatusReader
from windmill.storage.database import Pool
from windmill.submit.job_sender import JobSender
from windmill.submit.uploads import UploadFolder

STATUS_SECONDS, FLEET_SECONDS = 1.0, 5.0
"""How long what was read is believed."""


class ImageFleet:
    """Enter it with `async with`. Mutable."""

    def __init__(self, settings: Settings, pool: Pool, title: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings, self._pool, self._clock = settings, pool, clock
        self.files = ImageFiles(settings)
        self.sender = JobSender(settings, f"{title} trying")
        self.uploads = UploadFolder(settings.gateway_uploads_dir, settings.image_root, settings.max_image_bytes)
        self.places = PlaceRules(settings.image_root.resolve(), settings.gateway_uploads_dir.resolve())
        self.history = AnswerHistory(pool, settings)
        self._fleet: tuple[float, Fleet] | None = None
        self._reader: StatusReader | None = None
        self._status: tuple[float, FleetStatus] | None = None
        self._reading = asyncio.Lock()
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
        async with self._reading:
            return await self._current_fleet()

    async def status(self) -> FleetStatus:
        """Raises DATABASE_UNAVAILABLE; without the broker its numbers are unknown."""
        async with self._reading:
            if self._status is None or self._clock() - self._status[0] >= STATUS_SECONDS:
                reader = await self._current_reader()
                status = await reader.read()
                if reader.database_error:
                    raise reader.database_error
                self._status = (self._clock(), status)
            return self._status[1]

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
            if self._fleet and self._reader and list(fleet.services) != list(self._fleet[1].services):
                await self._reader.close()
                self._reader = None
            self._fleet = (self._clock(), fleet)
        return self._fleet[1]

    async def _current_reader(self) -> StatusReader:
        services = list((await self._current_fleet()).services.values())
        if self._reader is None:
            self._reader = StatusReader(self._settings, services, self._pool, LOST_SECONDS)
        return self._reader
