"""A small HTTP/1.1 client for services: one request, one bounded reply, connections kept alive.

Why not a full client library: all that a worker says is one POST, and a full client takes about seven times the CPU for
it and 12 MB more (docs/decisions/0012, with the figures). Parsing is llhttp's, by httptools.
"""

from windmill.calling.http1.client import Http1Client
from windmill.calling.http1.link import CutOff, HttpFailure, NotReached, Reply, ReplyTooLarge

__all__ = ["CutOff", "Http1Client", "HttpFailure", "NotReached", "Reply", "ReplyTooLarge"]
