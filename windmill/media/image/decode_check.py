"""Decode an image to see whether it is at fault for a failure.

Strangers' images are decoded in a child process only: `decoder.ImageDecoder`. What stands here runs in that child.
"""

import logging
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import TYPE_CHECKING, get_args

from windmill.core.errors import WindmillError
from windmill.kernels.media.image_header import Format, dimensions, format_of

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

_one_at_a_time = threading.Lock()
"""Because a decoded image is large, and `warnings` filters are global."""


HEIC_REMEDY = "convert it to JPEG under another name, and register that"
MAX_SCANS = 200
"""Programs write about ten scans into a progressive JPEG. Each costs as much as decoding a whole image."""
_START_OF_SCAN = b"\xff\xda"
_MEMORY_PER_PIXEL: dict[Format, int] = {"WebP": 16, "AVIF": 12}
"""Bytes that these decoders need for a pixel, and they report a lack of memory as a broken file. The others need about
four, and say what they lack."""


def fault_of_image(data: bytes, max_pixels: int, max_memory: int | None = None) -> WindmillError | None:
    """IMAGE_UNREADABLE or IMAGE_TOO_LARGE if the image is at fault, None if its first frame decodes completely."""
    try:
        with open_image(data, max_pixels, max_memory) as image:
            # An eighth of each side, in grey: libjpeg still decodes the whole file, but keeps few pixels.
            image.draft("L", (image.width // 8, image.height // 8))
            image.load()
    except WindmillError as error:
        return error
    return None


@contextmanager
def open_image(data: bytes, max_pixels: int, max_memory: int | None = None) -> "Iterator[ImageFile]":
    """Open an image without decoding it; only one is open in the process at a time. All errors, including those of the
    block, become IMAGE_UNREADABLE or IMAGE_TOO_LARGE. `max_memory` is what the process may use, if that is bounded."""
    form, size = format_of(data), dimensions(data)
    if form == "HEIC":
        raise WindmillError("IMAGE_UNREADABLE", "the file is a HEIC, which Windmill does not decode", HEIC_REMEDY)
    if form is None or size is None:
        raise WindmillError("IMAGE_UNREADABLE", f"no header of {', '.join(get_args(Format))} can be read")
    _must_be_small(size, max_pixels)
    _must_be_cheap(form, size, data, max_memory)
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


def _must_be_cheap(form: Format, size: tuple[int, int], data: bytes, max_memory: int | None) -> None:
    """Reject small files that are made to take minutes or gigabytes to decode, before they do."""
    if form == "JPEG" and (scans := data.count(_START_OF_SCAN)) > MAX_SCANS:
        said = f"the JPEG file has {scans} scans, over the limit of {MAX_SCANS}"
        raise WindmillError("IMAGE_UNREADABLE", said, "save the image anew; no usual program writes so many scans")
    if max_memory is not None and size[0] * size[1] * _MEMORY_PER_PIXEL.get(form, 0) > max_memory:
        raise _too_much_memory(form)


def _too_much_memory(form: Format) -> WindmillError:
    said = f"decoding the {form} file takes more memory than DECODE_MEMORY_BYTES"
    return WindmillError("IMAGE_TOO_LARGE", said, "shrink the image, or raise DECODE_MEMORY_BYTES")


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
    except MemoryError as error:
        raise _too_much_memory(form) from error
    except Exception as error:  # on broken files Pillow's parsers raise anything, even SyntaxError
        said = f"the {form} file is truncated or damaged: it does not decode"
        raise WindmillError("IMAGE_UNREADABLE", said) from error


def _of_format(form: Format, data: bytes) -> "ImageFile":
    """Opened by the class of the format: Image.open would apply Pillow's own, process-wide limit on pixels.

    Imported here, because a worker whose images are fine does not need Pillow in its memory.
    """
    from PIL import (
        AvifImagePlugin,
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
        "AVIF": AvifImagePlugin.AvifImageFile,
    }
    # Threads of their own would need more memory the more processors a machine has.
    AvifImagePlugin.DEFAULT_MAX_THREADS = 1
    return classes[form](BytesIO(data))
