"""Exact copies among the files that are registered: the first one is the original, and answers for the others.

Whole files are hashed only where two have the same size and the same first bytes, which nearly all copies and hardly
any other files have. So a million different photographs cost a million short reads, which registering does anyway, and
each copy costs reading two files whole.
"""

import asyncio
import hashlib
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from windmill.core.errors import WindmillError
from windmill.core.setting_parts import ImageSettings
from windmill.media.image.file_reader import FileReader
from windmill.storage.database import Connection
from windmill.storage.queries import queries
from windmill.submit.entry_types import FoundImage

ASK_SECONDS = 0.05

Digest = Callable[[str], bytes | None]
"""SHA-256 of the file at a location; None when it cannot be read."""


@dataclass(frozen=True)
class Copies:
    """What is known of files that are new: digests by location, and of copies the original, as an image that is
    registered or as the location of another new file."""

    digests: Mapping[str, bytes] = field(default_factory=dict)
    registered: Mapping[str, int] = field(default_factory=dict)
    new: Mapping[str, str] = field(default_factory=dict)

    def has(self, location: str) -> bool:
        """Whether a file is a copy."""
        return location in self.registered or location in self.new


def sort_out(digests: Mapping[str, bytes], originals: Mapping[bytes, int]) -> Copies:
    """Which of the new files are copies: of images that are there (`originals`, by digest), or of one before them."""
    registered: dict[str, int] = {}
    new: dict[str, str] = {}
    firsts: dict[bytes, str] = {}
    for location, digest in digests.items():
        if digest in originals:
            registered[location] = originals[digest]
        elif digest in firsts:
            new[location] = firsts[digest]
        else:
            firsts[digest] = location
    return Copies(digests, registered, new)


def file_digest(settings: ImageSettings) -> Digest:
    """Of what a worker would read; a file over MAX_IMAGE_BYTES is not read, and so no copy."""
    folder = FileReader(settings.image_root, settings.max_image_bytes)

    def digest(location: str) -> bytes | None:
        try:
            return hashlib.sha256(folder.read(location)).digest()
        except WindmillError:
            return None

    return digest


class CopyFinder:
    """Looks for copies in the table `images` and among the files of one batch."""

    def __init__(self, connection: Connection, digest: Digest) -> None:
        self._connection = connection
        self._digest = digest
        self._sql = queries()

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        """From looking to registering nobody else looks: two would each take its own file for an original. No
        transaction is open meanwhile, as reading whole files takes its time."""
        ask = self._sql["try_to_look_for_copies"]
        while not await self._connection.fetchval(ask):  # noqa: ASYNC110 - another process has it, and sets no event
            await asyncio.sleep(ASK_SECONDS)
        try:
            yield
        finally:
            await self._connection.execute(self._sql["stop_looking_for_copies"])

    async def look(self, found: Sequence[FoundImage]) -> Copies:
        """What is known of those of the files that are not registered yet."""
        samples = {one.location: one.sample for one in found if one.sample is not None}
        fresh = await self._fresh(samples)
        if not fresh:
            return Copies()
        rows = await self._connection.fetch(self._sql["find_samples"], list(fresh.values()))
        twice = {sample for sample, count in Counter(fresh.values()).items() if count > 1}
        twice |= {row["sample"] for row in rows}
        digests = await self._digests(location for location, sample in fresh.items() if sample in twice)
        known = {row["image_id"]: row["digest"] for row in rows if row["digest"]}
        unread = {row["location"]: row["image_id"] for row in rows if not row["digest"]}
        read = {unread[location]: digest for location, digest in (await self._digests(unread)).items()}
        if read:
            await self._connection.execute(self._sql["note_digests"], list(read), list(read.values()))
        originals = {digest: image_id for image_id, digest in sorted((known | read).items(), reverse=True)}
        return sort_out(digests, originals)

    async def _fresh(self, samples: Mapping[str, int]) -> dict[str, int]:
        """Those that are not registered. Images that are, from before samples were kept, get theirs."""
        if not samples:
            return {}
        rows = await self._connection.fetch(self._sql["find_locations"], list(samples))
        bare = [row["location"] for row in rows if row["sample"] is None]
        if bare:
            await self._connection.execute(self._sql["note_samples"], bare, [samples[one] for one in bare])
        known = {row["location"] for row in rows}
        return {location: sample for location, sample in samples.items() if location not in known}

    async def _digests(self, locations: Iterable[str]) -> dict[str, bytes]:
        """Read in threads, some at a time: a share answers several at once."""
        asked = list(locations)
        answers = await asyncio.gather(*(asyncio.to_thread(self._digest, location) for location in asked))
        return {location: digest for location, digest in zip(asked, answers, strict=True) if digest}
