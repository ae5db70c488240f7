"""Whether an image is still the one that services have answered: its file may have been exchanged since."""

from dataclasses import dataclass

from windmill.core.errors import WindmillError
from windmill.kernels.media.exif_orientation import orientation_of, swaps_sides
from windmill.kernels.media.fingerprint import fingerprint
from windmill.kernels.media.image_header import dimensions


@dataclass(frozen=True, slots=True)
class KnownImage:
    """What is known of an image: its registered size, if any, and the fingerprints of the files that services got."""

    size: tuple[int, int] | None = None
    fingerprints: tuple[int, ...] = ()


def must_be_unchanged(image: bytes, known: KnownImage) -> None:
    """Raise IMAGE_CHANGED if these are the bytes of another image."""
    size = dimensions(image)
    if known.size and size and known.size not in _sizes(image, size):
        said = f"it has {size[0]} x {size[1]} pixels, and was registered with {known.size[0]} x {known.size[1]}"
        raise WindmillError("IMAGE_CHANGED", f"the image is another than the registered one: {said}")
    if known.fingerprints and known.fingerprints != (fingerprint(image),):
        raise WindmillError("IMAGE_CHANGED", "the image was exchanged since services found its boxes")


def _sizes(image: bytes, size: tuple[int, int]) -> tuple[tuple[int, int], ...]:
    """Whoever registers a turned image may mean its sides as they are stored, or as they are seen."""
    return (size, (size[1], size[0])) if swaps_sides(orientation_of(image)) else (size,)
