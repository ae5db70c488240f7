"""Whether an image that a service failed on is itself at fault. Decodes it, so call it in a thread."""

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
"""A decoded image is large, and the filters of `warnings` belong to the whole process."""


def fault_of_image(data: bytes, most_pixels: int) -> WindmillError | None:
    """IMAGE_UNREADABLE or IMAGE_TOO_LARGE when the image is at fault, None when its first frame decodes whole."""
    try:
        with opened(data, most_pixels) as image:
            # An eighth of each side, in grey: libjpeg still reads every code of the file, but keeps few pixels.
            image.draft("L", (image.width // 8, image.height // 8))
            image.load()
    except WindmillError as error:
        return error
    return None


@contextmanager
def opened(data: bytes, most_pixels: int) -> "Iterator[ImageFile]":
    """The image, for as long as the block lasts the only one in the process; nothing is decoded yet. Whatever goes
    wrong, in the block too, is raised as IMAGE_UNREADABLE or IMAGE_TOO_LARGE."""
    form, size = format_of(data), dimensions(data)
    if form is None or size is None:
        raise WindmillError("IMAGE_UNREADABLE", "no JPEG, PNG, GIF, BMP, WebP or TIFF header can be read")
    _must_be_small(size, most_pixels)
    with _one_at_a_time, warnings.catch_warnings(), _explained(form):
        warnings.simplefilter("ignore")
        logging.getLogger("PIL").setLevel(logging.CRITICAL)
        with _of_format(form, data) as image:
            _must_be_small(image.size, most_pixels)  # a GIF's first frame may reach beyond its canvas
            yield image


def _must_be_small(size: tuple[int, int], most_pixels: int) -> None:
    if size[0] * size[1] > most_pixels:
        said = f"the image has {size[0]} x {size[1]} pixels, over the limit of {most_pixels}"
        raise WindmillError("IMAGE_TOO_LARGE", said, "shrink the image, or raise the limit on pixels")


@contextmanager
def _explained(form: Format) -> Iterator[None]:
    """What Pillow raises, in our words."""
    from PIL.Image import DecompressionBombError

    try:
        yield
    except WindmillError:
        raise
    except DecompressionBombError as error:
        # Pillow's own limit, which for WebP and the parts of GIF and TIFF files no way of opening avoids.
        said = f"a frame or tile of the {form} file is too large to be decoded"
        raise WindmillError("IMAGE_TOO_LARGE", said) from error
    except Exception as error:  # on broken files Pillow's parsers raise whatever they trip over, SyntaxError too
        said = f"the {form} file is truncated or damaged: it does not decode"
        raise WindmillError("IMAGE_UNREADABLE", said) from error


def _of_format(form: Format, data: bytes) -> "ImageFile":
    """By the format's own class: Image.open would apply Pillow's limit on pixels, which is the process's, not ours.

    Imported here, because a worker whose images are fine needs no Pillow in its memory.
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
