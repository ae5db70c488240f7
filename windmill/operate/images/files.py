"""The files of images, for whoever may see them: as they are, or small."""

import hashlib
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime

from windmill.core.errors import WindmillError
from windmill.core.messages import Job
from windmill.core.setting_parts import ImageSettings
from windmill.kernels.media.exif_orientation import orientation_of, swaps_sides
from windmill.kernels.media.image_header import Format, dimensions, format_of
from windmill.media.image.decoder import ImageDecoder
from windmill.media.image.source import ImageSource
from windmill.operate.show.image_report import ImageRecord

THUMBNAIL_SIDE = 320
MEDIA_TYPES: Mapping[Format, str] = {
    "JPEG": "image/jpeg",
    "PNG": "image/png",
    "GIF": "image/gif",
    "BMP": "image/bmp",
    "WebP": "image/webp",
    "TIFF": "image/tiff",
    "HEIC": "image/heic",
    "AVIF": "image/avif",
}


@dataclass(frozen=True)
class ImageFile:
    """Bytes of a kind that was found in them, whatever the name says."""

    data: bytes
    media_type: str

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.data).hexdigest()


class ImageFiles:
    """Reads them by the rules for workers, and decodes them in children of bounded memory. Enter it with `async
    with`."""

    def __init__(self, settings: ImageSettings) -> None:
        self._source, self._decoder = ImageSource(settings), ImageDecoder(settings)
        self._opened = AsyncExitStack()

    async def __aenter__(self) -> "ImageFiles":
        for part in (self._source, self._decoder):
            await self._opened.enter_async_context(part)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._opened.aclose()

    async def original(self, image: ImageRecord) -> ImageFile:
        """Raises an IMAGE_ error that does not tell where it lies."""
        job = Job(image.image_id, image.image_filename, image.image_path, image.image_url, datetime.now(UTC))
        try:
            data = await self._source.read(job)
        except WindmillError as error:
            raise WindmillError(error.code, f"image {image.image_id} cannot be read", retry=error.retry) from error
        form = format_of(data)
        return ImageFile(data, MEDIA_TYPES[form] if form else "application/octet-stream")

    async def upright_size(self, image: ImageRecord) -> tuple[int, int] | None:
        """Width and height as one looks at it; None of a file that says neither. Raises an IMAGE_ error."""
        data = (await self.original(image)).data
        size = dimensions(data)
        return size[::-1] if size and swaps_sides(orientation_of(data)) else size

    async def thumbnail(self, image: ImageRecord, side: int = THUMBNAIL_SIDE) -> ImageFile:
        """An upright JPEG, neither wider nor higher than `side`."""
        original = await self.original(image)
        return ImageFile(await self._decoder.thumbnail(original.data, side), MEDIA_TYPES["JPEG"])
