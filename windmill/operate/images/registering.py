"""Registering images for programs that serve many people: what became of each entry, with its id."""

import asyncio
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import Literal

from windmill.core.errors import WindmillError
from windmill.core.setting_parts import ImageSettings
from windmill.core.settings import Settings
from windmill.media.image.store_reader import StoreReader
from windmill.storage.audit_log import Actor, write_audit
from windmill.storage.database import CONNECT_SECONDS, Connection, Pool, translate_errors
from windmill.storage.queries import queries
from windmill.submit.archive_listing import ARCHIVES
from windmill.submit.copies import CopyFinder, file_digest
from windmill.submit.entry_types import EXTENSIONS, BadEntry, Entry, FoundImage, ImageAccess
from windmill.submit.image_listing import list_entries
from windmill.submit.registration import BATCH_IMAGES, RegistrationCounts, register_batch

MOST_NAMED = 10_000
"""So many entries are answered one by one; of more, only the numbers."""
STORE_SECONDS, STORE_TRIES = 60.0, 4

EntryStatus = Literal["registered", "copy", "known", "bad"]


@dataclass(frozen=True)
class RegisteredEntry:
    """What became of one entry; `copy_of` is the image whose answers it shares."""

    name: str
    status: EntryStatus
    image_id: int | None = None
    copy_of: int | None = None
    reason: str | None = None


@dataclass
class Registration:
    """The first entries, and how many there were of each kind."""

    entries: list[RegisteredEntry] = field(default_factory=list)
    counts: RegistrationCounts = field(default_factory=RegistrationCounts)


@dataclass(frozen=True)
class Registrar:
    """Registers for one person or program, with a row in the audit log for each batch."""

    pool: Pool
    settings: Settings
    actor: Actor
    group: str | None = None
    keep_copies: bool = False

    async def register(self, found: Iterator[Entry]) -> Registration:
        """All entries; listing them may take long, so it runs in a thread."""
        done = Registration()
        while batch := await asyncio.to_thread(lambda: list(islice(found, BATCH_IMAGES))):
            with translate_errors(self.settings):
                async with self.pool.acquire(timeout=CONNECT_SECONDS) as connection:
                    await self._register(connection, batch, done)
        return done

    async def _register(self, connection: Connection, batch: Sequence[Entry], done: Registration) -> None:
        finder = None if self.keep_copies else CopyFinder(connection, file_digest(self.settings))
        new = await register_batch(connection, batch, self.group, done.counts, finder, on_registered=self._note)
        named = [one for one in batch if isinstance(one, FoundImage | BadEntry)][: MOST_NAMED - len(done.entries)]
        locations = [one.location for one in named if isinstance(one, FoundImage)]
        rows = await connection.fetch(queries()["find_image_ids"], locations)
        known = {row["location"]: (row["image_id"], row["original_id"]) for row in rows}
        root = self.settings.image_root.resolve()
        done.entries += [_entry(one, known, new, root) for one in named]

    async def _note(self, connection: Connection, new: Mapping[str, int]) -> None:
        told = {"images": len(new), "first": min(new.values()), "last": max(new.values()), "group": self.group}
        await write_audit(connection, self.actor, "images.register", self.group or "images", None, told)


def _entry(
    one: FoundImage | BadEntry, known: Mapping[str, tuple[int, int | None]], new: Mapping[str, int], root: Path
) -> RegisteredEntry:
    if isinstance(one, BadEntry):
        return RegisteredEntry(shown_place(one.name, root), "bad", reason=one.reason.replace(f"={root}", ""))
    name = shown_place(one.location, root) if one.image_url else one.image_filename
    if one.location not in known:
        return RegisteredEntry(name, "bad", reason="it was removed meanwhile")
    image_id, original_id = known[one.location]
    status: EntryStatus = "known" if one.location not in new else "copy" if original_id else "registered"
    return RegisteredEntry(name, status, image_id, original_id)


def shown_place(name: str, root: Path) -> str:
    """A path as people name it, from IMAGE_ROOT on."""
    return name.removeprefix(f"{str(root).rstrip('/')}/") if name.startswith("/") else name


def image_access(settings: ImageSettings) -> ImageAccess:
    """What workers may read, and so what may be registered."""
    stores = StoreReader(settings, STORE_SECONDS, STORE_TRIES)
    return ImageAccess(settings.image_root.resolve(), frozenset(settings.image_url_allow), stores)


def list_urls(urls: Sequence[str], access: ImageAccess) -> Iterator[Entry]:
    """URLs of images on the web and in stores. Nothing else is taken: a path would be one of this machine."""
    return chain.from_iterable(
        list_entries(url, io.StringIO(), access) if "://" in url else iter([BadEntry(url, "is not a URL")])
        for url in urls
    )


def list_folder(folder: str, access: ImageAccess) -> Iterator[Entry]:
    """The images below a folder of IMAGE_ROOT, or in an archive there. Lists of paths are not taken, as their lines
    would be quoted."""
    path = access.root / folder
    try:
        real = path.resolve()
        taken = real.is_dir() or (real.is_file() and real.suffix.lower() in ARCHIVES | EXTENSIONS)
    except (OSError, ValueError, RuntimeError):
        taken, real = False, path
    if not taken or not real.is_relative_to(access.root):
        said = f"there is no folder or archive {folder:.200} below IMAGE_ROOT"
        raise WindmillError("NOT_FOUND", said, "name one by its path from IMAGE_ROOT on, without a leading slash")
    return list_entries(str(real), io.StringIO(), access)
