"""The image bytes of a job, from a file or a URL, or an IMAGE_* error."""

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from windmill.core.errors import WindmillError
from windmill.core.messages import Job
from windmill.core.setting_parts import ImageSettings
from windmill.kernels.media.image_header import dimensions, format_of
from windmill.kernels.net.artifact_urls import is_artifact_url
from windmill.kernels.net.store_urls import is_store_url
from windmill.media.image.file_reader import FileReader
from windmill.media.image.reader_threads import ReaderThreads

if TYPE_CHECKING:
    from windmill.media.image.artifact_reader import ArtifactReader
    from windmill.media.image.store_reader import StoreReader
    from windmill.media.image.url_fetcher import UrlFetcher

URL_SECONDS = 30.0


def looks_like_image(head: bytes) -> bool:
    """Whether a file starts like an image, without decoding it."""
    return format_of(head) is not None


class ImageSource:
    """Reads images and checks that they are worth sending to a service."""

    def __init__(self, settings: ImageSettings, url_seconds: float = URL_SECONDS) -> None:
        self._most_pixels = settings.max_image_pixels
        self._settings = settings
        self._url_seconds = url_seconds
        self._fetcher: UrlFetcher | None = None
        self._stores: StoreReader | None = None
        self._artifacts: ArtifactReader | None = None
        self._threads = ReaderThreads(FileReader(settings.image_root, settings.max_image_bytes).read)
        self._opened = AsyncExitStack()

    async def __aenter__(self) -> "ImageSource":
        self._opened.enter_context(self._threads)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._opened.aclose()

    async def read(self, job: Job) -> bytes:
        """The file at the job's path or, without a path, at its URL: on the web, in a store, or among the artifacts."""
        if job.image_path:
            data = await self._threads.read(job.image_path)
        elif is_store_url(job.image_url or ""):
            data = await self._opened_stores().read(job.image_url or "")
        elif is_artifact_url(job.image_url or ""):
            data = await (await self._opened_artifacts()).read(job.image_url or "")
        else:
            data = await (await self._opened_fetcher()).read(job.image_url or "")
        self._must_be_worth_sending(data)
        return data

    async def _opened_fetcher(self) -> "UrlFetcher":
        """Imported for the first image URL only: the HTTP client takes a third of a worker's memory."""
        if self._fetcher is None:
            from windmill.media.image.url_fetcher import UrlFetcher

            settings = self._settings
            fetcher = UrlFetcher(frozenset(settings.image_url_allow), settings.max_image_bytes, self._url_seconds)
            self._fetcher = await self._opened.enter_async_context(fetcher)
        return self._fetcher

    def _opened_stores(self) -> "StoreReader":
        if self._stores is None:
            from windmill.media.image.store_reader import StoreReader

            self._stores = StoreReader(self._settings, self._url_seconds)
        return self._stores

    async def _opened_artifacts(self) -> "ArtifactReader":
        if self._artifacts is None:
            from windmill.media.image.artifact_reader import ArtifactReader

            reader = ArtifactReader(self._settings, self._url_seconds)
            self._artifacts = await self._opened.enter_async_context(reader)
        return self._artifacts

    def _must_be_worth_sending(self, data: bytes) -> None:
        if not looks_like_image(data):
            said = f"the file does not start like an image: {data[:8]!r}" if data else "the file is empty"
            raise WindmillError("IMAGE_UNREADABLE", said)
        width, height = dimensions(data) or (0, 0)
        if width * height > self._most_pixels:
            # A decompression bomb would exhaust the service's memory, and fail other images with it.
            said = f"{width} x {height} is {width * height} pixels, over MAX_IMAGE_PIXELS={self._most_pixels}"
            raise WindmillError("IMAGE_TOO_LARGE", said, "shrink the image, or raise MAX_IMAGE_PIXELS")
