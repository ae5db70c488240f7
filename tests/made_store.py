"""A stand-in for an S3 server that lists as many objects as a test wants without keeping any, and misbehaves on demand.

It speaks what obstore asks of it: GetObject, HeadObject and ListObjectsV2 with its pages. It looks at no signature.
What a real server says is tested with Swift.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

from tests.serving import serving

PAGE = 1000


@dataclass
class Bucket:
    """Objects by key; `keys` are those that a listing shows, and may be made as they are asked for. `refusals` says
    with which status and word of S3 a key, or for "" every key and the listing, is answered."""

    objects: dict[str, bytes] = field(default_factory=dict)
    keys: Sequence[str] | None = None
    refusals: dict[str, tuple[int, str]] = field(default_factory=dict)
    cut_short: set[str] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)

    def listed(self) -> Sequence[str]:
        return sorted(self.objects) if self.keys is None else self.keys


class Numbered(Sequence[str]):
    """So many keys that nobody keeps them: made of their numbers."""

    def __init__(self, count: int, name: Callable[[int], str]) -> None:
        self._count = count
        self._name = name

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int | slice) -> str | list[str]:  # type: ignore[override]
        if isinstance(index, slice):
            return [self._name(number) for number in range(*index.indices(self._count))]
        return self._name(index)


@contextmanager
def made_store(**buckets: Bucket) -> Iterator[str]:
    """The endpoint of a store that has these buckets."""

    class Handler(_Handler):
        found = buckets

    with serving(Handler) as server:
        yield f"http://{server}"


class _Handler(BaseHTTPRequestHandler):
    found: dict[str, Bucket]
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        name, _, key = unquote(parts.path).removeprefix("/").partition("/")
        bucket = self.found.get(name)
        if bucket is None:
            return self._refuse(404, "NoSuchBucket")
        bucket.asked.append(key)
        refusal = bucket.refusals.get(key) or bucket.refusals.get("")
        if refusal:
            return self._refuse(*refusal)
        if not key:
            return self._list(bucket, parse_qs(parts.query))
        if key not in bucket.objects:
            return self._refuse(404, "NoSuchKey")
        return self._send(200, bucket.objects[key], cut=key in bucket.cut_short)

    def _list(self, bucket: Bucket, query: dict[str, list[str]]) -> None:
        begin = int(query.get("continuation-token", ["0"])[0])
        page = bucket.listed()[begin : begin + PAGE]
        more = begin + PAGE < len(bucket.listed())
        token = f"<NextContinuationToken>{begin + PAGE}</NextContinuationToken>" if more else ""
        entries = "".join(
            f"<Contents><Key>{escape(key)}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified>"
            f'<ETag>"0"</ETag><Size>{len(bucket.objects.get(key, b"some"))}</Size></Contents>'
            for key in page
        )
        self._send(
            200,
            f'<?xml version="1.0"?><ListBucketResult><IsTruncated>{str(more).lower()}</IsTruncated>{token}{entries}'
            f"<KeyCount>{len(page)}</KeyCount></ListBucketResult>".encode(),
        )

    def _refuse(self, status: int, word: str) -> None:
        self._send(status, f"<?xml version='1.0'?><Error><Code>{word}</Code></Error>".encode())

    def _send(self, status: int, body: bytes, *, cut: bool = False) -> None:
        self.send_response_only(status, HTTPStatus(status).phrase)
        self.send_header("Content-Length", str(len(body) + cut))
        self.send_header("Last-Modified", "Thu, 01 Jan 2026 00:00:00 GMT")
        self.send_header("ETag", '"0"')
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        self.close_connection = cut
