"""Images in the buckets of a store, s3://bucket/key: read one at a time, and listed for registering.

The client, obstore, is an extra, and is loaded only where a bucket is read. Its errors quote requests and answers of
any length: nothing of them leaves this module but the word that S3 itself has for what is wrong.
"""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from windmill.core.bucket_client import INSTALL_CLIENT, open_bucket, store_word
from windmill.core.errors import WindmillError
from windmill.core.setting_parts import ImageSettings
from windmill.kernels.net.store_urls import StoreUrl, may_read, parsed

if TYPE_CHECKING:
    from obstore.store import S3Store

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
    }
)
_NOBODYS = "windmill-asks-whether-the-store-answers"
_NOWHERE = StoreUrl("s3", "-", _NOBODYS)
_EXTRA = "images in s3:// are read by obstore, which is not installed"
_ALLOW = "let workers read it: IMAGE_STORE_ALLOW, or what the account may do in the store"


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
        self._buckets: dict[str, S3Store] = {}

    async def read(self, address: str) -> bytes:
        """The bytes of one object, read no further than the limit."""
        url = self._permitted(address)
        bucket = self._bucket(url.bucket)
        try:
            answer = await bucket.get_async(url.key)
            self._must_be_small(url, answer.meta["size"])
            parts, size = [], 0
            async for part in answer.stream():
                parts.append(bytes(part))
                size += len(part)
                self._must_be_small(url, size)
        except WindmillError:
            raise
        except Exception as error:
            explained = _explained(error, url)
            if explained.retry == "pause" and store_word(error) not in _FOR_ALL and await self._answers(bucket):
                # One object is in trouble, not all of them: it costs the job a try.
                raise WindmillError("IMAGE_NOT_FOUND", explained.message, retry="later") from error
            raise explained from error
        return b"".join(parts)

    async def _answers(self, bucket: "S3Store") -> bool:
        """Whether the store says something sensible about an object that is not there, a refusal included."""
        try:
            await bucket.head_async(_NOBODYS)
        except Exception as error:  # noqa: BLE001 - what the client raises has no common kind but this
            return _explained(error, _NOWHERE).retry != "pause"
        return True

    def listed(self, folder: StoreUrl) -> Iterator[Listed]:
        """All objects below a folder, or of a whole bucket, asked for as they are needed."""
        bucket = self._bucket(folder.bucket)
        import obstore

        try:
            for page in obstore.list(bucket, folder.key.rstrip("/") or None, chunk_size=LISTED_AT_ONCE):
                for entry in page:
                    yield Listed(StoreUrl(folder.scheme, folder.bucket, entry["path"]), entry["size"])
        except Exception as error:
            raise _explained(error, folder) from error

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
            raise WindmillError("IMAGE_FORBIDDEN", f"{address} {error}", _ALLOW) from error
        if not url.key or url.key.endswith("/"):
            raise WindmillError("IMAGE_NOT_FOUND", f"{url} names no object")
        return url

    def _must_be_small(self, url: StoreUrl, size: int) -> None:
        if size > self._most:
            said = f"{url} has {size} bytes or more, over MAX_IMAGE_BYTES={self._most}"
            raise WindmillError("IMAGE_TOO_LARGE", said, "shrink the image, or raise MAX_IMAGE_BYTES")

    def _bucket(self, name: str) -> "S3Store":
        """The client of one bucket; there are no more of them than IMAGE_STORE_ALLOW names."""
        if name not in self._buckets:
            self._buckets[name] = self._opened(name)
        return self._buckets[name]

    def _opened(self, name: str) -> "S3Store":
        try:
            return open_bucket(self._settings, name, self._seconds, self._tries)
        except ImportError as error:
            raise WindmillError("CONFIG_INVALID", _EXTRA, INSTALL_CLIENT, retry="pause") from error


def _explained(error: Exception, url: StoreUrl) -> WindmillError:
    """What an error of the client means, in our words and with S3's own word for it."""
    word = store_word(error)
    if key := _UNSPEAKABLE.search(str(error)):
        said = f"the key {key[1]} below {url} has an empty or dotted part, which the client cannot ask for"
        return WindmillError("IMAGE_UNREADABLE", said, "rename that object, or name the folders beside it")
    if word in _FOR_ALL:
        remedy = "correct AWS_ENDPOINT_URL and the account, or make the bucket; jobs wait meanwhile"
        return WindmillError("IMAGE_NOT_FOUND", f"{url}: the store says {word}", remedy, retry="pause")
    if isinstance(error, FileNotFoundError):
        return WindmillError("IMAGE_NOT_FOUND", f"there is no object {url}")
    if type(error).__name__ in ("PermissionDeniedError", "UnauthenticatedError"):
        return WindmillError("IMAGE_FORBIDDEN", f"{url} may not be read ({word})", _ALLOW)
    if isinstance(error, ValueError):
        return WindmillError("IMAGE_UNREADABLE", f"{url} is no name that can be asked for")
    said = f"the store of {url} does not answer as it should{f' ({word})' if word else ''}"
    return WindmillError("IMAGE_NOT_FOUND", said, "start it, or correct AWS_ENDPOINT_URL; jobs wait", retry="pause")
