"""A small HTTP/1.1 client for services: one request, one bounded reply, connections kept alive, with TLS or without.

Why not a full client library: a worker only sends one kind of POST, and a full client takes about seven times the CPU
for it and 12 MB more (docs/decisions/0012 has the figures). httptools (llhttp) parses the replies.
"""

from windmill.calling.http1.connection import (
    MAX_ERROR_BYTES,
    ConnectError,
    HttpError,
    HttpReply,
    MismatchedReply,
    ProtocolError,
    ReplyTooLarge,
    TlsError,
)
from windmill.calling.http1.keepalive_client import MAX_EXCHANGES, Http1Client, HttpServer

__all__ = [
    "MAX_ERROR_BYTES",
    "MAX_EXCHANGES",
    "ConnectError",
    "Http1Client",
    "HttpError",
    "HttpReply",
    "HttpServer",
    "MismatchedReply",
    "ProtocolError",
    "ReplyTooLarge",
    "TlsError",
]
