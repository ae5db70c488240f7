"""What fake-gcs-server lacks: it reads by Google's XML API and writes by the JSON API alone, while clients of the store
write by XML as well. This stands before it, translates what writes or deletes, and passes on the rest.

Parts of an upload are kept here until the last request names them; only then an object is made of them."""

import http.client
import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qs, quote, unquote, urlsplit

from tests.serving import AnsweringHandler, serving

_PASSED = ("content-type", "content-range", "last-modified", "etag", "x-goog-generation")
_NUMBER = re.compile(rb"<PartNumber>(\d+)</PartNumber>")
_STARTED = "<InitiateMultipartUploadResult><UploadId>{}</UploadId></InitiateMultipartUploadResult>"
_DONE = '<CompleteMultipartUploadResult><ETag>"whole"</ETag></CompleteMultipartUploadResult>'
_NO_BUCKET = "<Error><Code>NoSuchBucket</Code></Error>"


@contextmanager
def google_with_writes(port: int) -> Iterator[str]:
    """The address of a store that keeps all in the fake-gcs-server on this port of the machine."""

    class Handler(_Handler):
        behind, uploads = port, _Uploads()

    with serving(Handler) as server:
        yield f"http://{server}"


@dataclass
class _Uploads:
    """Those that go on: the parts of each, and its media type."""

    parts: dict[str, dict[int, bytes]] = field(default_factory=dict)
    kinds: dict[str, str] = field(default_factory=dict)


class _Handler(AnsweringHandler, BaseHTTPRequestHandler):
    behind: int
    uploads: _Uploads
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self._key or self._has_bucket():
            self._pass_on()

    def do_HEAD(self) -> None:
        self._pass_on()

    def do_PUT(self) -> None:
        query, data = self._query(), self._body()
        if upload := query.get("uploadId"):
            self.uploads.parts[upload][int(query["partNumber"])] = data
            self.answer(200, b"", {"ETag": f'"{query["partNumber"]}"'})
        elif self._store(data, self.headers.get("Content-Type", "")):
            self.answer(200, b"", {"ETag": '"whole"'})

    def do_POST(self) -> None:
        query, data = self._query(), self._body()
        if self.path.startswith(("/storage/", "/upload/")):
            self._pass_on(data)
        elif upload := query.get("uploadId"):
            parts = self.uploads.parts.pop(upload)
            whole = b"".join(parts[int(number)] for number in _NUMBER.findall(data))
            if self._store(whole, self.uploads.kinds.pop(upload)):
                self.answer(200, _DONE.encode())
        else:
            started = uuid.uuid4().hex
            self.uploads.parts[started], self.uploads.kinds[started] = {}, self.headers.get("Content-Type", "")
            self.answer(200, _STARTED.format(started).encode())

    def do_DELETE(self) -> None:
        if self.path.startswith("/storage/"):
            self._pass_on()
        elif upload := self._query().get("uploadId"):
            self.uploads.parts.pop(upload, None)
            self.answer(204, b"")
        else:
            status, _, _ = self._ask("DELETE", f"/storage/v1/b/{self._bucket}/o/{quote(self._key, safe='')}")
            self.answer(204 if status == 200 else status, b"")

    def _store(self, data: bytes, kind: str) -> bool:
        """Whether the object was stored; if not, that is answered."""
        if not self._has_bucket():
            return False
        where = f"/upload/storage/v1/b/{self._bucket}/o?uploadType=media&name={quote(self._key, safe='')}"
        status, _, _ = self._ask("POST", where, data, {"Content-Type": kind or "application/octet-stream"})
        if status != 200:
            self.answer(status, b"")
        return status == 200

    def _has_bucket(self) -> bool:
        """Whether the bucket is there; if not, that is answered as Google does. The server behind makes one to store
        something in, and fails to list it."""
        status, _, _ = self._ask("GET", f"/storage/v1/b/{self._bucket}")
        if status == 404:
            self.answer(404, _NO_BUCKET.encode())
        return status != 404

    @property
    def _bucket(self) -> str:
        return unquote(urlsplit(self.path).path).removeprefix("/").partition("/")[0]

    @property
    def _key(self) -> str:
        return unquote(urlsplit(self.path).path).removeprefix("/").partition("/")[2]

    def _query(self) -> dict[str, str]:
        found = parse_qs(urlsplit(self.path).query, keep_blank_values=True)
        return {name: values[0] for name, values in found.items()}

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _pass_on(self, data: bytes = b"") -> None:
        sent = {name: one for name, one in self.headers.items() if name.lower() in ("range", "content-type", "accept")}
        status, headers, body = self._ask(self.command, self.path, data, sent)
        kept = {name: one for name, one in headers.items() if name.lower() in _PASSED}
        if self.command == "HEAD":
            kept["Content-Length"] = headers.get("Content-Length", "0")
        self.answer(status, body, kept)

    def _ask(
        self, method: str, path: str, data: bytes = b"", headers: dict[str, str] | None = None
    ) -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.behind, timeout=60)
        try:
            connection.request(method, path, data or None, headers or {})
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        finally:
            connection.close()
