"""Images in a bucket or on a WebDAV server: one object, or all below a folder. No object is opened: that would cost a
request for each, so what they hold is seen by the workers."""

from collections.abc import Iterator
from pathlib import PurePosixPath

from windmill.kernels.net.store_urls import StoreUrl, shown
from windmill.kernels.text.redaction import HIDDEN
from windmill.media.image.store_reader import Listed, StoreReader
from windmill.submit.entry_types import EXTENSIONS, BadEntry, Entry, FoundImage, IgnoredFile, ImageAccess, kind


def list_store(address: str, access: ImageAccess) -> Iterator[Entry]:
    """An address that ends as an image does is one object, any other is a folder."""
    place = _permitted(address, access)
    if isinstance(place, BadEntry):
        return iter([place])
    stores, url = place
    if kind(url.key) in EXTENSIONS and not url.key.endswith("/"):
        return iter([_found(url)])
    return map(_listed, stores.listed(url))


def stored_object(address: str, access: ImageAccess) -> FoundImage | BadEntry:
    """One object, whatever its name."""
    place = _permitted(address, access)
    if isinstance(place, BadEntry):
        return place
    _, url = place
    return _found(url) if url.key and not url.key.endswith("/") else BadEntry(str(url), "names no object")


def _permitted(address: str, access: ImageAccess) -> tuple[StoreReader, StoreUrl] | BadEntry:
    if access.stores is None:
        return BadEntry(shown(address) or HIDDEN, "lies in a store, and none may be read")
    try:
        return access.stores, access.stores.permitted(address)
    except ValueError as error:
        return BadEntry(shown(address) or HIDDEN, str(error))


def _listed(entry: Listed) -> Entry:
    suffix = kind(entry.url.key)
    if suffix not in EXTENSIONS:
        return IgnoredFile(suffix)
    return _found(entry.url) if entry.size else BadEntry(str(entry.url), "is empty")


def _found(url: StoreUrl) -> FoundImage:
    return FoundImage(PurePosixPath(url.key).name, None, str(url))
