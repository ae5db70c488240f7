"""Whether an image that a service failed on is itself at fault. Decodes it, so call it in a thread."""

import logging
import threading
import warnings
from io import BytesIO
from typing import TYPE_CHECKING

from kernels.image_header import Format, dimensions, format_of
from windmill.errors import WindmillError

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

_one_at_a_time = threading.Lock()
"""A decoded image is large, and the filters of `warnings` belong to the whole process."""


def fault_of_image(data: bytes, most_pixels: int) -> WindmillError | None:
    """IMAGE_UNREADABLE or IMAGE_TOO_LARGE when the image is at fault, None when its first frame decodes whole."""
    form, size = format_of(data), dimensions(data)
    if form is None or size is None:
        return WindmillError("IMAGE_UNREADABLE", "no JPEG, PNG, GIF, BMP, WebP or TIFF header can be read")
    if size[0] * size[1] > most_pixels:
        return _too_large(size, most_pixels)
    with _one_at_a_time, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logging.getLogger("PIL").setLevel(logging.CRITICAL)
        return _fault_in_decoding(data, form, most_pixels)


def _too_large(size: tuple[int, int], most_pixels: int) -> WindmillError:
    said = f"the image has {size[0]} x {size[1]} pixels, over the limit of {most_pixels}"
    return WindmillError("IMAGE_TOO_LARGE", said, "shrink the image, or raise the limit on pixels")


def _fault_in_decoding(data: bytes, form: Format, most_pixels: int) -> WindmillError | None:
    from PIL.Image import DecompressionBombError

    try:
        with _opened(data, form) as image:
            if image.width * image.height > most_pixels:  # a GIF's first frame may reach beyond its canvas
                return _too_large(image.size, most_pixels)
            # An eighth of each side, in grey: libjpeg still reads every code of the file, but keeps few pixels.
            image.draft("L", (image.width // 8, image.height // 8))
            image.load()
    except DecompressionBombError:
        # Pillow's own limit, which for WebP and the parts of GIF and TIFF files no way of opening avoids.
        return WindmillError("IMAGE_TOO_LARGE", f"a frame or tile of the {form} file is too large to be decoded")
    except Exception:  # noqa: BLE001 - on broken files Pillow's parsers raise whatever they trip over, SyntaxError too
        return WindmillError("IMAGE_UNREADABLE", f"the {form} file is truncated or damaged: it does not decode")
    return None


def _opened(data: bytes, form: Format) -> "ImageFile":
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
