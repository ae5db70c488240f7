"""What a stream of server-sent events is made of. Control frames carry no id, so that a reader who reconnects after one
goes on after the last event that it has seen. Pure."""

from collections.abc import Mapping
from typing import Any

import orjson

from gateway.errors import hide_paths
from windmill.operate.jobs.event_stream import StreamedEvent

HEARTBEAT = b": still here\n\n"


def body_of(event: StreamedEvent) -> bytes:
    """An event without its id, which depends on the stream: a name, and one line of JSON."""
    return b"event: %b\ndata: %b\n\n" % (event.kind.encode(), orjson.dumps(visible(event.document)))


def visible(told: Mapping[str, Any]) -> dict[str, Any]:
    """What is told of an event, without folders of the server."""
    data = {name: hide_paths(one) if isinstance(one, str) else one for name, one in told["data"].items()}
    return {**told, "data": data}


def frame(event_id: object, body: bytes) -> bytes:
    return b"id: %b\n%b" % (str(event_id).encode(), body)


def control(name: str, reason: str) -> bytes:
    """A frame of ours: `resync`, `dropped`, `reconnect` or `ended`."""
    return b"event: %b\ndata: %b\n\n" % (name.encode(), orjson.dumps({"reason": reason}))


def opening(last: object, retry_milliseconds: int) -> bytes:
    """The first bytes: how long to wait before reconnecting, and where the stream begins. The id comes without data, so
    it is no event, but whoever loses the connection before the first one misses nothing either."""
    return b"retry: %d\nid: %b\n\n" % (retry_milliseconds, str(last).encode())
