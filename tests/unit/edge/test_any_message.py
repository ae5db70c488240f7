"""Whatever a message says, it ends as a row or in the failed queue, the session goes on, and no password is told."""

import asyncio
import logging
from typing import Any

import orjson
import pamqp.encode
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.unit.world import World, take
from windmill.core.errors import WindmillError
from windmill.core.messages import ATTEMPT_HEADER, HANDED_OUT_HEADER, OUTAGES_HEADER, TRIES_HEADER
from windmill.core.services import load_fleet
from windmill.core.settings import ROOT, Settings
from windmill.process.logs import JsonFormatter, TextFormatter

CLIP = load_fleet(ROOT / "service_config.json").services["clip"]
SETTINGS = Settings.from_env({"MAX_RETRIES": "3"})
PASSWORD = "sesame-open"

odd_text = st.text(max_size=60)
hosts = st.sampled_from(["[::1", "ex\u2100mple.com", "example.com:port", "[v1.x]", "a]b", "", "%00", "\uff0f", "1:2:3"])
urls = st.builds(
    lambda scheme, host, rest: f"{scheme}user:{PASSWORD}@{host}{rest}",
    st.sampled_from(["http://", "https://", "HTTP:", "//", "file:///", ""]),
    hosts | odd_text,
    st.sampled_from(["", "/a.jpg", "/a.jpg?token=x#y", "\\a"]) | odd_text,
)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | odd_text | urls,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(odd_text, inner, max_size=3),
    max_leaves=5,
)
image_ids = st.integers(1, 2**63 - 1)
jobs = st.fixed_dictionaries(
    {"image_id": image_ids},
    optional={
        "image_filename": odd_text,
        "image_path": odd_text,
        "image_url": urls | odd_text,
        "submitted_at": st.datetimes().map(lambda moment: moment.isoformat() + "Z") | odd_text,
        "trace_id": odd_text,
        "schema": values,
    },
)
mappings = st.dictionaries(
    st.sampled_from(["image_id", "image_path", "image_url", "submitted_at", "trace_id"]) | odd_text, values, max_size=6
)


def body_of(document: object) -> bytes:
    try:
        return orjson.dumps(document)
    except orjson.JSONEncodeError:
        return repr(document).encode(errors="replace")


bodies = jobs.map(body_of) | mappings.map(body_of) | st.binary(max_size=200)
header_values = values | st.binary(max_size=20)
headers_of_ours = st.sampled_from(
    [
        ATTEMPT_HEADER,
        OUTAGES_HEADER,
        TRIES_HEADER,
        HANDED_OUT_HEADER,
        "x-delivery-count",
        "x-death",
        "CC",
        "windmill-code",
    ]
)
all_headers = st.dictionaries(headers_of_ours | st.text(max_size=20), header_values, max_size=5)
outcomes = st.sampled_from(
    ["answer", "IMAGE_FORBIDDEN", "SERVICE_ERROR", "SERVICE_OVERLOADED", "bug", "bug in writing"]
)


class Lines(logging.Handler):
    """All that the log says, in both of its formats."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.formats = [TextFormatter(), JsonFormatter()]
        self.said = ""

    def emit(self, record: logging.LogRecord) -> None:
        self.said += "".join(one.format(record) + "\n" for one in self.formats)


@pytest.fixture(scope="module")
def lines() -> Any:  # noqa: ANN401 - a generator
    handler, logger = Lines(), logging.getLogger("windmill")
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    yield handler
    logger.removeHandler(handler)
    logger.setLevel(level)


def url_job(url: str) -> bytes:
    return orjson.dumps({"image_id": 1, "image_url": url})


@given(body=bodies, headers=all_headers, redelivered=st.booleans(), outcome=outcomes)
@example(body=url_job(f"http://user:{PASSWORD}@[::1"), headers={}, redelivered=False, outcome="IMAGE_FORBIDDEN")
@example(body=url_job(f"http://user:{PASSWORD}@ex\u2100mple.com"), headers={}, redelivered=False, outcome="bug")
@example(body=url_job(f"http://user:{PASSWORD}@ex\u2100mple.com"), headers={}, redelivered=True, outcome="answer")
@example(body=url_job(f"http://user:{PASSWORD}"), headers={}, redelivered=False, outcome="bug in writing")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_no_message_ends_the_session_or_is_left_unsettled(
    body: bytes, headers: dict[str, object], redelivered: bool, outcome: str, lines: Lines
) -> None:
    lines.said = ""
    world = asyncio.run(processed(body, headers, redelivered, outcome))
    assert world.broken == []
    assert world.events[-1] == "ack"
    told = lines.said
    for row in world.rows:
        for value in row:
            if isinstance(value, str):
                value.encode()
        told += row.error_message or ""
    for _, _, copied, kept in world.sent:
        assert copied == body
        pamqp.encode.field_table(kept)
        told += str(kept.get("windmill-reason", "")) if "windmill-reason" not in headers else ""
    if b'"image_url":"' in body and outcome != "answer":
        assert PASSWORD not in told


async def processed(body: bytes, headers: dict[str, object], redelivered: bool, outcome: str) -> World:
    world = World()
    if outcome.startswith("IMAGE"):
        world.read_error = WindmillError("IMAGE_FORBIDDEN", "image_url is not a URL")
    elif outcome.startswith("SERVICE"):
        world.call_error = WindmillError("SERVICE_ERROR" if "ERROR" in outcome else "SERVICE_OVERLOADED", "because")
    elif outcome == "bug":
        world.call_error = ValueError(f"netloc 'user:{PASSWORD}@ex\u2100mple.com' contains invalid characters")
    elif outcome == "bug in writing":
        world.write_errors = [ValueError(f"Port could not be cast to integer value as '{PASSWORD}'") for _ in range(9)]
    state = world.state(CLIP, SETTINGS)
    delivery = world.delivery(body)
    delivery.headers, delivery.redelivered = headers, redelivered
    await take(world.processor(state, SETTINGS), delivery)
    return world
