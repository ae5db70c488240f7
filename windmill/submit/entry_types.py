"""The entries that a listing of images yields, and what workers may read."""

from dataclasses import dataclass, field
from pathlib import Path

from windmill.media.image.store_reader import StoreReader

EXTENSIONS = frozenset({".jpg", ".jpeg", ".png", ".gif", ".bmp", ".webp", ".tif", ".tiff", ".avif"})


@dataclass(frozen=True, slots=True)
class ImageAccess:
    """What workers may read: files below `root`, URLs of public hosts and of the private hosts in `allowed`, and the
    objects that `stores` permits."""

    root: Path
    allowed: frozenset[str] = frozenset()
    stores: StoreReader | None = None


@dataclass(frozen=True, slots=True)
class FoundImage:
    """An image that can be registered. Files have a sample, which finds copies."""

    image_filename: str
    image_path: str | None
    image_url: str | None
    image_group: str | None = None
    width: int | None = None
    height: int | None = None
    sample: int | None = field(default=None, compare=False)

    @property
    def location(self) -> str:
        """Identifies the image."""
        return self.image_path or self.image_url or ""


@dataclass(frozen=True, slots=True)
class BadEntry:
    """An entry that cannot be registered, and why."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class IgnoredFile:
    """A file of a folder, store or archive without an image suffix."""

    suffix: str


Entry = FoundImage | BadEntry | IgnoredFile


def kind(name: str) -> str:
    """The suffix to count by; numeric ones count as none, as numbered files would make a kind each."""
    suffix = Path(name).suffix.lower()
    return "" if suffix[1:].isdigit() else suffix
