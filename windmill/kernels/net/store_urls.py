"""Addresses of objects in a store, such as s3://bucket/folder/key, and which of them an operator allows.

A key stands in such an address as the store has it: nothing is escaped, so `%`, `?` and `#` are plain characters.
"""

from collections.abc import Collection
from dataclasses import dataclass

SCHEMES = ("s3",)
_BUCKET_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_")


@dataclass(frozen=True, slots=True)
class StoreUrl:
    """Where an object is, or with an empty key or one that ends with a slash: where several are."""

    scheme: str
    bucket: str
    key: str

    def __str__(self) -> str:
        return f"{self.scheme}://{self.bucket}/{self.key}"


def is_store_url(text: str) -> bool:
    """Whether it means an object in a store; perhaps one that cannot be."""
    return text.partition("://")[0].lower() in SCHEMES


def parsed(text: str) -> StoreUrl:
    """The parts of an address; ValueError says what is wrong with it."""
    scheme, _, rest = text.partition("://")
    bucket, _, key = rest.partition("/")
    if scheme.lower() not in SCHEMES:
        raise ValueError(f"does not begin with {' or '.join(f'{one}://' for one in SCHEMES)}")
    if not bucket or not _BUCKET_CHARACTERS.issuperset(bucket):
        raise ValueError("names no bucket")  # a user and password, a port or a query there are no bucket either
    segments = key.removesuffix("/").split("/")
    if key and not all(segments):
        raise ValueError("has an empty part between two slashes")
    if not {".", ".."}.isdisjoint(segments):
        raise ValueError("has . or .. among its parts")
    return StoreUrl(scheme.lower(), bucket, key)


def allowed_store(entry: str) -> str:
    """A bucket, or a part of one, in the spelling in which it is compared; ValueError says what is wrong with it."""
    url = parsed(entry)
    return str(url).rstrip("/") + "/"


def may_read(url: StoreUrl, allowed: Collection[str]) -> bool:
    """Whether the object or folder lies in one of the buckets, or parts of buckets, that are allowed."""
    return any(f"{url}/".startswith(place) for place in allowed)
