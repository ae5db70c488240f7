"""Whether an image is still the one that services have answered: its file may have been exchanged since."""

from dataclasses import dataclass
from typing import NamedTuple

from windmill.core.errors import WindmillError
from windmill.kernels.media.exif_orientation import orientation_of, swaps_sides
from windmill.kernels.media.fingerprint import fingerprint
from windmill.kernels.media.image_header import Format, dimensions, format_of
from windmill.kernels.media.jpeg_parts import jpeg_parts


class Marks(NamedTuple):
    """What the header of an image tells to whoever sends it."""

    form: Format | None
    orientation: int
    fingerprint: int


def read_marks(image: bytes) -> Marks:
    """For every image that is sent, so it takes microseconds."""
    form = format_of(image)
    jpeg = jpeg_parts(image) if form == "JPEG" else None
    orientation = orientation_of(image, jpeg)
    return Marks(form, orientation, fingerprint(image, orientation, jpeg))


@dataclass(frozen=True, slots=True)
class KnownImage:
    """What is known of an image: the fingerprints of the files that services got and, which says less, the size that
    it was registered with."""

    size: tuple[int, int] | None = None
    fingerprints: tuple[int, ...] = ()


def must_be_unchanged(image: bytes, known: KnownImage) -> None:
    """Raise IMAGE_CHANGED if these are the bytes of another image."""
    marks = read_marks(image)
    if known.fingerprints:
        if known.fingerprints != (marks.fingerprint,):
            raise WindmillError("IMAGE_CHANGED", "the image was exchanged since services found its boxes")
        return
    size = dimensions(image)
    if known.size and size and known.size not in _sizes(size, marks.orientation):
        said = f"it has {size[0]} x {size[1]} pixels, and was registered with {known.size[0]} x {known.size[1]}"
        raise WindmillError("IMAGE_CHANGED", f"the image is another than the registered one: {said}")


def _sizes(size: tuple[int, int], orientation: int) -> tuple[tuple[int, int], ...]:
    """Whoever registers a turned image may mean its sides as they are stored, or as they are seen."""
    return (size, (size[1], size[0])) if swaps_sides(orientation) else (size,)
