"""Signature Version 4, by which AWS knows who sends a request: pure, from the request and the time alone.

Only what is signed is protected: the method, the path, the query, the body, and the headers that are named.
"""

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import quote

ALGORITHM = "AWS4-HMAC-SHA256"
_UNRESERVED = "-_.~"


@dataclass(frozen=True)
class AwsCredentials:
    """An account; `token` is there for one that was lent for a while."""

    key_id: str
    secret: str = field(repr=False)
    token: str = field(default="", repr=False)


@dataclass(frozen=True)
class AwsScope:
    """What a signature is good for, on one day."""

    region: str
    service: str


@dataclass(frozen=True)
class SignedRequest:
    """What is signed: `path` as it is sent, `query` as names and values before encoding, and `headers` with Host."""

    method: str
    path: str
    headers: Mapping[str, str]
    payload_sha256: str
    query: Iterable[tuple[str, str]] = ()


def signature_headers(
    request: SignedRequest, credentials: AwsCredentials, scope: AwsScope, at: datetime
) -> dict[str, str]:
    """The headers that the request needs besides its own; `at` is in UTC."""
    time = at.strftime("%Y%m%dT%H%M%SZ")
    added = {"X-Amz-Date": time} | ({"X-Amz-Security-Token": credentials.token} if credentials.token else {})
    headers = {name.lower(): " ".join(value.split()) for name, value in {**request.headers, **added}.items()}
    names = ";".join(sorted(headers))
    place = f"{time[:8]}/{scope.region}/{scope.service}/aws4_request"
    digest = hashlib.sha256(_canonical(request, headers, names).encode()).hexdigest()
    signed = hmac.new(
        _key(credentials, time[:8], scope), "\n".join((ALGORITHM, time, place, digest)).encode(), "sha256"
    )
    said = f"Credential={credentials.key_id}/{place}, SignedHeaders={names}, Signature={signed.hexdigest()}"
    return {**added, "Authorization": f"{ALGORITHM} {said}"}


def render_query(query: Iterable[tuple[str, str]]) -> str:
    """A query in the only spelling that is signed, which is how it has to be sent."""
    return "&".join(f"{name}={value}" for name, value in sorted((_encoded(n), _encoded(v)) for n, v in query))


def _canonical(request: SignedRequest, headers: Mapping[str, str], names: str) -> str:
    """The path is encoded once more than it is sent: so AWS wants it everywhere but in S3."""
    lines = [f"{name}:{headers[name]}" for name in sorted(headers)]
    path = quote(request.path or "/", safe=f"/{_UNRESERVED}")
    return "\n".join((request.method, path, render_query(request.query), *lines, "", names, request.payload_sha256))


def _key(credentials: AwsCredentials, day: str, scope: AwsScope) -> bytes:
    key = f"AWS4{credentials.secret}".encode()
    for part in (day, scope.region, scope.service, "aws4_request"):
        key = hmac.new(key, part.encode(), "sha256").digest()
    return key


def _encoded(text: str) -> str:
    return quote(text, safe=_UNRESERVED)
