"""JPEG files of 88 KB each, of noise, because nothing decodes them."""

from collections.abc import Sequence
from pathlib import Path

from PIL import Image

COUNT = 100
BYTES = 88 * 1024


def drawn(folder: Path) -> Sequence[Path]:
    """The files; those of an earlier run are used again."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{number}.jpg" for number in range(COUNT)]
    for path in paths:
        if not path.exists():
            _draw(path)
    return paths


def _draw(path: Path) -> None:
    """Of the size that is wanted: what follows the end of a JPEG image is ignored by those who read it."""
    Image.effect_noise((320, 320), 80).save(path, quality=90)
    data = path.read_bytes()
    path.write_bytes(data + bytes(BYTES - len(data)))
