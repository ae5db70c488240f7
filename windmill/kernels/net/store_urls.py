"""Addresses of objects in a store, such as s3://bucket/folder/key, and which of them an operator allows.

A key stands in such an address as the store has it: nothing is escaped, so `%`, `?` and `#` are plain characters.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from urllib.parse import SplitResult, unquote, urlsplit

DAV_SCHEMES = ("dav", "davs")
"""A WebDAV server on http and on https; its name stands where others have a bucket."""
SCHEMES = ("s3", "gs", "az", *DAV_SCHEMES)
_ALSO = {
    "s3a": "s3",
    "gcs": "gs",
    "azure": "az",
    "adl": "az",
    "abfs": "az",
    "abfss": "az",
    "webdav": "dav",
    "webdavs": "davs",
}
"""How other programs call the same."""
_BUCKET = re.compile(r"[A-Za-z0-9._-]+")
_CONTAINER = re.compile(r"[a-z0-9-]+|\$(?:root|web|logs)")
_HOST = re.compile(r"(?:[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::\d{1,5})?")
_AMAZON = re.compile(r"(?:(.+)\.)?s3(?:[.-][a-z0-9-]+)?\.amazonaws\.com")
_ADVICE = {
    "file": "name the path alone",
    "http": "a WebDAV server is dav://host/folder",
    "https": "a WebDAV server is davs://host/folder, a container az://container, a bucket s3://bucket or gs://bucket",
}
_MOUNT = "mount it, and name the folder"


@dataclass(frozen=True, slots=True)
class StoreUrl:
    """Where an object is, or with an empty key or one that ends with a slash: where several are."""

    scheme: str
    bucket: str
    key: str

    def __str__(self) -> str:
        return f"{self.scheme}://{self.bucket}/{self.key}"


@dataclass(frozen=True, slots=True)
class StoreEndpoints:
    """Which servers the accounts are for; an empty one is that of the provider."""

    s3: str = ""
    google: str = ""
    azure: str = ""
    azure_account: str = ""


def is_store_url(text: str) -> bool:
    """Whether it means an object in a store; perhaps one that cannot be."""
    scheme = text.partition("://")[0].lower()
    return scheme in SCHEMES or scheme in _ALSO


def parsed(text: str) -> StoreUrl:
    """The parts of an address; ValueError says what is wrong with it, and shows no more of it than its scheme."""
    scheme, _, rest = text.partition("://")
    scheme = _ALSO.get(scheme.lower(), scheme.lower())
    if scheme not in SCHEMES:
        raise ValueError(f"does not begin with {' or '.join(f'{one}://' for one in SCHEMES)}{_advice(text)}")
    bucket, _, key = rest.partition("/")
    bucket = _place(scheme, bucket)
    segments = key.removesuffix("/").split("/")
    if key and not all(segments):
        raise ValueError("has an empty part between two slashes")
    if not {".", ".."}.isdisjoint(segments):
        raise ValueError("has . or .. among its parts")
    return StoreUrl(scheme, bucket, key)


def _place(scheme: str, name: str) -> str:
    """A user and password, a port or a query there are no bucket either."""
    if scheme in DAV_SCHEMES:
        if "@" in name:
            raise ValueError("has an account in it, which belongs into WEBDAV_USER and WEBDAV_PASSWORD")
        if not _HOST.fullmatch(name.lower()):
            raise ValueError("names no host")
        return name.lower()
    if not (_CONTAINER if scheme == "az" else _BUCKET).fullmatch(name):
        raise ValueError("names no container" if scheme == "az" else "names no bucket")
    return name


def unknown_scheme(text: str) -> str:
    """Why an address with any other scheme is of no use, and what to do about it."""
    scheme = text.partition("://")[0]
    usable = ", ".join(f"{one}://" for one in ("http", "https", *SCHEMES))
    return f"begins with {scheme:.20}://, which is none of {usable}; {_ADVICE.get(scheme.lower(), _MOUNT)}"


def _advice(text: str) -> str:
    scheme, separator, _ = text.partition("://")
    return f"; {_ADVICE.get(scheme.lower(), _MOUNT)}" if separator else ""


def shown(text: str) -> str | None:
    """An address as it may be told; None where a password could be anywhere in it."""
    try:
        return str(parsed(text))
    except ValueError:
        # Without a colon or an @ in all of it there is no account.
        return None if {"@", ":"} & set(text.partition("://")[2]) else text


def allowed_store(entry: str) -> str:
    """A bucket, or a part of one, in the spelling in which it is compared; ValueError says what is wrong with it."""
    url = parsed(entry)
    return str(url).rstrip("/") + "/"


def may_read(url: StoreUrl, allowed: Collection[str]) -> bool:
    """Whether the object or folder lies in one of the buckets, or parts of buckets, that are allowed."""
    return any(f"{url}/".startswith(place) for place in allowed)


def dav_hosts(allowed: Collection[str]) -> list[str]:
    """The WebDAV servers among them, each once."""
    urls = [parsed(place) for place in allowed]
    return sorted({url.bucket for url in urls if url.scheme in DAV_SCHEMES})


def of_web_url(text: str, endpoints: StoreEndpoints) -> list[StoreUrl]:
    """The objects that a URL of the web may mean, in the stores that the accounts are for. One with a query, such as a
    signature, means none: it can be read without an account."""
    try:
        parts = urlsplit(text)
        path = unquote(parts.path, errors="strict").removeprefix("/")
    except ValueError:
        return []
    if parts.scheme not in ("http", "https") or "@" in parts.netloc or "?" in text or "#" in text:
        return []
    candidates = [_of_s3(parts, path, endpoints.s3), _of_google(parts, path, endpoints.google)]
    candidates += [_of_azure(parts, path, endpoints), f"dav{'s' * (parts.scheme == 'https')}://{parts.netloc}/{path}"]
    return [url for candidate in candidates if candidate for url in _right(candidate)]


def _right(address: str) -> list[StoreUrl]:
    try:
        return [parsed(address)]
    except ValueError:
        return []


def _of_s3(parts: SplitResult, path: str, endpoint: str) -> str | None:
    if endpoint:
        return f"s3://{path}" if f"{parts.scheme}://{parts.netloc}" == endpoint else None
    if parts.scheme == "https" and (found := _AMAZON.fullmatch(parts.netloc)):
        return f"s3://{found[1]}/{path}" if found[1] else f"s3://{path}"
    return None


def _of_google(parts: SplitResult, path: str, endpoint: str) -> str | None:
    ours = endpoint or "https://storage.googleapis.com"
    return f"gs://{path}" if f"{parts.scheme}://{parts.netloc}" == ours else None


def _of_azure(parts: SplitResult, path: str, endpoints: StoreEndpoints) -> str | None:
    if endpoints.azure:
        inside = f"{parts.scheme}://{parts.netloc}/{path}".removeprefix(f"{endpoints.azure}/")
        return None if "://" in inside else f"az://{inside}"
    kinds = [f"https://{endpoints.azure_account}.{kind}.core.windows.net" for kind in ("blob", "dfs")]
    return f"az://{path}" if endpoints.azure_account and f"{parts.scheme}://{parts.netloc}" in kinds else None
