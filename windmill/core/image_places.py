"""What is told of where an image lies."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from windmill.core.messages import Job
from windmill.core.setting_parts import ImageSettings
from windmill.core.settings import environment

_EVER = datetime.fromtimestamp(0, UTC)


@dataclass(frozen=True)
class PlaceRules:
    """A URL without its password; of a file the path from `root` on, and nothing if there is none, if the file lies
    elsewhere, or in the folder of uploads."""

    root: Path | None
    uploads: Path | None = None

    def shown(self, image_path: str | None, image_url: str | None) -> str | None:
        if image_path is None:
            return Job(1, "", None, image_url, _EVER).location or None
        path = Path(image_path)
        if self.root is None or not path.is_relative_to(self.root):
            return None
        if self.uploads and path.is_relative_to(self.uploads):
            return None
        return str(path.relative_to(self.root))


def told_root(settings: ImageSettings) -> Path | None:
    """IMAGE_ROOT as far as it says what may be told: where nobody has set it, its default is all of the machine."""
    root = settings.image_root.resolve()
    return root if str(root) != "/" or "IMAGE_ROOT" in environment() else None
