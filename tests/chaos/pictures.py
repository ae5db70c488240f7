"""The pictures of a fault test: many good ones and, among them, a known set of truly bad ones."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import asyncpg
from PIL import Image

from windmill.core.errors import Code

BAD: Mapping[str, tuple[int, Code]] = {
    "truncated": (7, "IMAGE_UNREADABLE"),
    "text": (3, "IMAGE_UNREADABLE"),
    "missing": (2, "IMAGE_NOT_FOUND"),
}
"""How many there are of each kind, and what a worker has to say of them."""


@dataclass(frozen=True)
class Pictures:
    """What was registered: the ids of the good ones, and of the bad ones with their code."""

    good: frozenset[int]
    bad: Mapping[int, Code]
    sent: int
    """How many of them any service gets to see: a text or a missing file never leaves the worker."""


def drawn() -> bytes:
    """A small JPEG that every stand-in can read."""
    file = BytesIO()
    Image.effect_noise((96, 72), 40).convert("RGB").save(file, "JPEG")
    return file.getvalue()


async def registered(rows: asyncpg.Connection, folder: Path, good: int) -> Pictures:
    """Make the files and register them, the bad ones spread evenly."""
    kinds = dict(_paths(folder, good))
    _write(folder, kinds)
    found = await rows.fetch(
        "INSERT INTO images (image_filename, image_path) SELECT 'picture.jpg', path FROM unnest($1::text[]) path"
        " RETURNING image_id, image_path",
        [str(path) for path in kinds],
    )
    kind_of = {row["image_id"]: kinds[Path(row["image_path"])] for row in found}
    bad = {image: BAD[kind][1] for image, kind in kind_of.items() if kind in BAD}
    return Pictures(frozenset(kind_of) - frozenset(bad), bad, good + BAD["truncated"][0])


def _paths(folder: Path, good: int) -> Iterator[tuple[Path, str]]:
    bad = [kind for kind, (number, _) in BAD.items() for _ in range(number)]
    # Kinds one after another, so that no stretch of the queue has all of one kind.
    spread = sorted(range(len(bad)), key=lambda place: place * 5 % len(bad))
    every = max(1, good // len(bad))
    for number in range(good):
        yield folder / f"{number}.jpg", "good"
        if number % every == every // 2 and spread:
            place = spread.pop()
            yield folder / f"bad-{place}.jpg", bad[place]
    assert not spread, "too few good pictures to hide the bad ones among"


def _write(folder: Path, kinds: Mapping[Path, str]) -> None:
    """One file for all good pictures, under many names."""
    folder.mkdir()
    whole = drawn()
    contents = {"good": whole, "truncated": whole[: len(whole) // 2], "text": b"This says it is a picture.\n"}
    masters = {kind: folder.parent / f"{kind}.master" for kind in contents}
    for kind, master in masters.items():
        master.write_bytes(contents[kind])
    for path, kind in kinds.items():
        if kind in masters:
            path.hardlink_to(masters[kind])
