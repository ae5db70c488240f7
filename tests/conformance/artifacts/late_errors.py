"""Stands before a real S3 server and fails to join the parts of uploads, as S3 does: with 200 and an error."""

import http.client
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler

from tests.serving import AnsweringHandler, serving

_PASSED = ("etag", "last-modified", "content-range")
_FAILED = b'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>ServiceUnavailable</Code></Error>'


@contextmanager
def failing_to_join(endpoint: str, times: int) -> Iterator[str]:
    """The address of a store that fails so often and then passes all on to the server of this endpoint."""

    class Handler(_Handler):
        behind, left = endpoint.partition("://")[2], [None] * times

    with serving(Handler) as server:
        yield f"http://{server}"


class _Handler(AnsweringHandler, BaseHTTPRequestHandler):
    behind: str
    left: list[None]

    def do_POST(self) -> None:
        if "uploadId=" in self.path and self.left:
            self.left.pop()
            self.rfile.read(int(self.headers["Content-Length"]))
            self.answer(200, _FAILED)
        else:
            self._pass_on()

    def _pass_on(self) -> None:
        """With the very same headers: the signature covers them."""
        data = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        connection = http.client.HTTPConnection(self.behind, timeout=60)
        try:
            connection.request(self.command, self.path, data, dict(self.headers))
            answer = connection.getresponse()
            kept = {name: one for name, one in answer.getheaders() if name.lower() in _PASSED}
            if self.command == "HEAD":
                kept["Content-Length"] = answer.getheader("Content-Length", "0")
            self.answer(answer.status, answer.read(), kept)
        finally:
            connection.close()

    do_GET = do_PUT = do_HEAD = do_DELETE = _pass_on  # noqa: N815
