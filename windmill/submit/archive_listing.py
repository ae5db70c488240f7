"""Images in tar and zip archives: each member that is one, read where it lies."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from windmill.core.errors import WindmillError
from windmill.kernels.media.sample import HEAD_BYTES, sample_of
from windmill.media.archive import ArchiveReader, BadArchive, Member, Refused
from windmill.media.image.source import looks_like_image
from windmill.submit.entry_types import EXTENSIONS, BadEntry, Entry, FoundImage, IgnoredFile, ImageAccess, kind

ARCHIVES = frozenset({".tar", ".zip"})
COMPRESSED = (".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz", ".tar.zst")


def must_not_be_compressed(path: Path) -> None:
    """Of such an archive no member could be read without all before it."""
    if path.name.lower().endswith(COMPRESSED):
        raise WindmillError(
            "USAGE",
            f"{path} is compressed as a whole, so its members cannot be read where they lie",
            f"unpack that one layer and name the .tar: gunzip, bunzip2, unxz or unzstd {path}",
        )


def list_archive(path: Path, access: ImageAccess) -> Iterator[Entry]:
    """The members of an archive, in the order in which they are found. What can be read of a damaged one is there."""
    real = path.resolve()
    if not real.is_relative_to(access.root):
        yield BadEntry(str(path), f"lies outside IMAGE_ROOT={access.root}")
        return
    archives = ArchiveReader()
    with _opened(real) as descriptor:
        try:
            for member in archives.members(str(real), descriptor):
                yield _entry(archives, real, descriptor, member)
        except BadArchive as error:
            yield BadEntry(str(path), str(error))


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _entry(archives: ArchiveReader, archive: Path, descriptor: int, member: Member | Refused) -> Entry:
    suffix = kind(member.name)
    location = f"{archive}#{member.name}"
    if isinstance(member, Refused):
        return BadEntry(location, member.reason)
    if suffix not in EXTENSIONS:
        return IgnoredFile(suffix)
    if os.path.lexists(location):
        return BadEntry(location, "is also the name of a file beside the archive, which workers would read")
    try:
        head = archives.head(descriptor, member, HEAD_BYTES)
    except BadArchive as error:
        return BadEntry(location, str(error))
    if not looks_like_image(head):
        return BadEntry(location, "does not begin as an image" if head else "is empty")
    return FoundImage(PurePosixPath(member.name).name, location, None, sample=sample_of(member.size, head))
