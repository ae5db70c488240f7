"""Decode an image to see whether it is at fault for a failure. Call it in a thread."""

import logging
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import TYPE_CHECKING

from windmill.core.errors import WindmillError
from windmill.kernels.media.image_header import Format, dimensions, format_of

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

_one_at_a_time = threading.Lock()
"""Because a decoded image is large, and `warnings` filters are global."""


def fault_of_image(data: bytes, max_pixels: int) -> WindmillError | None:
    """IMAGE_UNREADABLE or IMAGE_TOO_LARGE if the image is at fault, None if its first frame decodes completely."""
    try:
        with open_image(data, max_pixels) as image:
            # An eighth of each side, in grey: libjpeg still decodes the whole file, but keeps few pixels.
            image.draft("L", (image.width // 8, image.height // 8))
            image.load()
    except WindmillError as error:
        return error
    return None


@contextmanager
def open_image(data: bytes, max_pixels: int) -> "Iterator[ImageFile]":
    """Open an image without decoding it; only one is open in the process at a time. All errors, including those of the
    block, become IMAGE_UNREADABLE or IMAGE_TOO_LARGE."""
    form, size = format_of(data), dimensions(data)
    if form is None or size is None:
        raise WindmillError("IMAGE_UNREADABLE", "no JPEG, PNG, GIF, BMP, WebP or TIFF header can be read")
    _must_be_small(size, max_pixels)
    with _one_at_a_time, warnings.catch_warnings(), _translate_errors(form):
        warnings.simplefilter("ignore")
        logging.getLogger("PIL").setLevel(logging.CRITICAL)
        with _of_format(form, data) as image:
            _must_be_small(image.size, max_pixels)  # a GIF's first frame may reach beyond its canvas
            yield image


def _must_be_small(size: tuple[int, int], max_pixels: int) -> None:
    if size[0] * size[1] > max_pixels:
        said = f"the image has {size[0]} x {size[1]} pixels, over the limit of {max_pixels}"
        raise WindmillError("IMAGE_TOO_LARGE", said, "shrink the image, or raise the limit on pixels")


@contextmanager
def _translate_errors(form: Format) -> Iterator[None]:
    """Translate exceptions of Pillow."""
    from PIL.Image import DecompressionBombError

    try:
        yield
    except WindmillError:
        raise
    except DecompressionBombError as error:
        # Pillow's own limit, which cannot be avoided for WebP and for parts of GIF and TIFF files.
        said = f"a frame or tile of the {form} file is too large to be decoded"
        raise WindmillError("IMAGE_TOO_LARGE", said) from error
    except Exception as error:  # on broken files Pillow's parsers raise anything, even SyntaxError
        said = f"the {form} file is truncated or damaged: it does not decode"
        raise WindmillError("IMAGE_UNREADABLE", said) from error


def _of_format(form: Format, data: bytes) -> "ImageFile":
    """Opened by the class of the format: Image.open would apply Pillow's own, process-wide limit on pixels.

    Imported here, because a worker whose images are fine does not need Pillow in its memory.
    """
    from PIL import (
        BmpImagePlugin,
        GifImagePlugin,
        JpegImagePlugin,
        PngImagePlugin,
        TiffImagePlugin,
        WebPImagePlugin,
    )

    classes: dict[Format, type[ImageFile]] = {
        "JPEG": JpegImagePlugin.JpegImageFile,
        "PNG": PngImagePlugin.PngImageFile,
        "GIF": GifImagePlugin.GifImageFile,
        "BMP": BmpImagePlugin.BmpImageFile,
        "WebP": WebPImagePlugin.WebPImageFile,
        "TIFF": TiffImagePlugin.TiffImageFile,
    }
    return classes[form](BytesIO(data))
