"""Images in object stores and on WebDAV servers, such as s3://bucket/key: read one at a time, and listed for
registering.

The client, obstore, is an extra, and is loaded only where a store is read. Its errors quote requests and answers of
any length: nothing of them leaves this module but the word that the store itself has for what is wrong.
"""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from windmill.core.bucket_client import STORES, open_store, store_word
from windmill.core.errors import WindmillError
from windmill.core.setting_parts import ImageSettings
from windmill.kernels.net.store_urls import DAV_SCHEMES, StoreUrl, may_read, of_web_url, parsed, shown

if TYPE_CHECKING:
    from windmill.core.bucket_client import StoreClient

LISTED_AT_ONCE = 1000
_UNSPEAKABLE = re.compile(r'Path "?(.{1,200}?)"?:? (?:contained empty path segment|Encountered illegal)')
# What is wrong with the account or with the bucket: every job would meet it, so none is to be spent on it.
_FOR_ALL = frozenset(
    {
        "NoSuchBucket",
        "AllAccessDisabled",
        "ExpiredToken",
        "InvalidAccessKeyId",
        "InvalidToken",
        "RequestTimeTooSkewed",
        "SignatureDoesNotMatch",
        "AuthenticationRequired",
        "AccountIsDisabled",
        "AuthenticationFailed",
        "ContainerBeingDeleted",
        "ContainerNotFound",
        "InvalidAuthenticationInfo",
        "NoAuthenticationInformation",
    }
)
# These say that there is no such object to whoever may read; S3 and Google say so only to whoever may list as well.
_SAY_WHAT_IS_MISSING = ("az", *DAV_SCHEMES)
_NOBODYS = "windmill-asks-whether-the-store-answers"
_ALLOW = "let workers read it: IMAGE_STORE_ALLOW, or what the account may do in the store"
_NO_WEBDAV = frozenset({"400", "405", "501"})


class Listed(NamedTuple):
    """An object as a listing shows it."""

    url: StoreUrl
    size: int


class StoreReader:
    """Reads what IMAGE_STORE_ALLOW names, and nothing beside it. A store that is away is waited for."""

    def __init__(self, settings: ImageSettings, seconds: float, tries: int = 2) -> None:
        self._settings = settings
        self._allowed = settings.image_store_allow
        self._most = settings.max_image_bytes
        self._seconds = seconds
        self._tries = tries
        self._stores: dict[tuple[str, str], StoreClient] = {}

    async def read(self, address: str) -> bytes:
        """The bytes of one object, read no further than the limit."""
        url = self._permitted(address)
        store = self._store(url)
        try:
            answer = await store.get_async(url.key)
            self._must_be_small(url, answer.meta["size"])
            parts, size = [], 0
            async for part in answer.stream():
                parts.append(bytes(part))
                size += len(part)
                self._must_be_small(url, size)
        except WindmillError:
            raise
        except Exception as error:
            raise await self._judged(error, url, store) from error
        return b"".join(parts)

    async def _judged(self, error: Exception, url: StoreUrl, store: "StoreClient") -> WindmillError:
        """The error, after a look at whether it is about this object or about all of them. One of an object alone costs
        the job a try."""
        explained = _explained(error, url)
        if store_word(error) in _FOR_ALL:
            return explained
        if explained.retry == "pause":
            asked = await self._about_nobodys(url, store)
            if asked is None or asked.retry != "pause":
                return WindmillError("IMAGE_NOT_FOUND", explained.message, retry="later")
        elif explained.code == "IMAGE_FORBIDDEN" and url.scheme in _SAY_WHAT_IS_MISSING:
            asked = await self._about_nobodys(url, store)
            if asked and asked.code == "IMAGE_FORBIDDEN":
                return _of_account(url, store_word(error))
        return explained

    async def _about_nobodys(self, url: StoreUrl, store: "StoreClient") -> WindmillError | None:
        """What the store says about an object beside it that is not there."""
        beside = f"{url.key.rpartition('/')[0]}/{_NOBODYS}".removeprefix("/")
        try:
            await store.head_async(beside)
        except Exception as error:  # noqa: BLE001 - what the client raises has no common kind but this
            return _explained(error, url)
        return None

    def listed(self, folder: StoreUrl) -> Iterator[Listed]:
        """All objects below a folder, or of a whole bucket, asked for as they are needed."""
        store = self._store(folder)
        prefix = folder.key.rstrip("/") or None
        try:
            pages = _walked(store, prefix) if folder.scheme in DAV_SCHEMES else _paged(store, prefix)
            for path, size in pages:
                url = StoreUrl(folder.scheme, folder.bucket, path)
                # A server may name what it likes.
                if may_read(url, self._allowed):
                    yield Listed(url, size)
        except Exception as error:
            if folder.scheme in DAV_SCHEMES and _is_of_another_protocol(error):
                raise _unlisted(folder) from error
            raise _explained(error, folder) from error

    def behind(self, web_url: str) -> StoreUrl | None:
        """The object or folder that a URL of the web means, if it lies in a store that may be read."""
        found = of_web_url(web_url, self._settings.store_endpoints()) if self._allowed else []
        return next((url for url in found if may_read(url, self._allowed)), None)

    def permitted(self, address: str) -> StoreUrl:
        """The address as far as it may be asked for; ValueError says why not."""
        url = parsed(address)
        if not may_read(url, self._allowed):
            raise ValueError(f"lies outside IMAGE_STORE_ALLOW={','.join(self._allowed)}")
        return url

    def _permitted(self, address: str) -> StoreUrl:
        try:
            url = self.permitted(address)
        except ValueError as error:
            told = shown(address) or "an address in a store"
            raise WindmillError("IMAGE_FORBIDDEN", f"{told} {error}", _ALLOW) from error
        if not url.key or url.key.endswith("/"):
            raise WindmillError("IMAGE_NOT_FOUND", f"{url} names no object")
        return url

    def _must_be_small(self, url: StoreUrl, size: int) -> None:
        if size > self._most:
            said = f"{url} has {size} bytes or more, over MAX_IMAGE_BYTES={self._most}"
            raise WindmillError("IMAGE_TOO_LARGE", said, "shrink the image, or raise MAX_IMAGE_BYTES")

    def _store(self, url: StoreUrl) -> "StoreClient":
        """The client of one bucket or server; there are no more of them than IMAGE_STORE_ALLOW names."""
        place = (url.scheme, url.bucket)
        if place not in self._stores:
            self._stores[place] = open_store(self._settings, url, self._seconds, self._tries)
        return self._stores[place]


def _paged(store: "StoreClient", prefix: str | None) -> Iterator[tuple[str, int]]:
    import obstore

    for page in obstore.list(store, prefix, chunk_size=LISTED_AT_ONCE):
        for entry in page:
            yield entry["path"], entry["size"]


def _walked(store: "StoreClient", prefix: str | None) -> Iterator[tuple[str, int]]:
    """Folder by folder: many WebDAV servers refuse to list a whole tree at once."""
    import obstore

    found = obstore.list_with_delimiter(store, prefix)
    for entry in sorted(found["objects"], key=lambda entry: entry["path"]):
        yield entry["path"], entry["size"]
    inside = f"{prefix}/" if prefix else ""
    for folder in sorted(found["common_prefixes"]):
        # A folder that names itself or one outside would make a circle.
        if folder.startswith(inside) and len(folder) > len(inside):
            yield from _walked(store, folder)


def _explained(error: Exception, url: StoreUrl) -> WindmillError:
    """What an error of the client means, in our words and with the store's own word for it."""
    word = store_word(error)
    if key := _UNSPEAKABLE.search(str(error)):
        said = f"the key {key[1]} below {url} has an empty or dotted part, which the client cannot ask for"
        return WindmillError("IMAGE_UNREADABLE", said, "rename that object, or name the folders beside it")
    if word in _FOR_ALL:
        return _of_account(url, word)
    if isinstance(error, FileNotFoundError):
        return WindmillError("IMAGE_NOT_FOUND", f"there is no object {url}")
    if type(error).__name__ in ("PermissionDeniedError", "UnauthenticatedError"):
        return WindmillError("IMAGE_FORBIDDEN", f"{url} may not be read ({word})", _ALLOW)
    if isinstance(error, ValueError):
        return WindmillError("IMAGE_UNREADABLE", f"{url} is no name that can be asked for")
    said = f"the store of {url} does not answer as it should{f' ({word})' if word else ''}"
    return WindmillError(
        "IMAGE_NOT_FOUND", said, f"start it, or correct {STORES[url.scheme].account}; jobs wait", retry="pause"
    )


def _is_of_another_protocol(error: Exception) -> bool:
    """Whether a server on the web knows no WebDAV: it refuses the method, or answers with a page."""
    return store_word(error) in _NO_WEBDAV or "decoding PROPFIND" in str(error)


def _of_account(url: StoreUrl, word: str) -> WindmillError:
    remedy = f"correct {STORES[url.scheme].account}, or make the bucket; jobs wait meanwhile"
    return WindmillError("IMAGE_NOT_FOUND", f"{url}: the store says {word}", remedy, retry="pause")


def _unlisted(folder: StoreUrl) -> WindmillError:
    said = f"{folder} cannot be listed: its server does not speak WebDAV"
    return WindmillError("NOT_FOUND", said, "give a list of the URLs: a .txt file with one a line")
