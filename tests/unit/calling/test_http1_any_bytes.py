"""Whatever the bytes: a reply, or one of the known failures."""

import itertools
from collections.abc import Iterable

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.calling.http1_scene import MOST, OK, chunked, heard
from tests.unit.loopback import reply
from windmill.calling.http1 import (
    HttpReply,
)


def cut(wire: bytes, places: Iterable[int]) -> list[bytes]:
    ends = [0, *sorted(min(place, len(wire)) for place in places), len(wire)]
    return [wire[start:end] for start, end in itertools.pairwise(ends) if start < end]


LINES = [
    b"HTTP/1.1 200 OK\r\n", b"HTTP/1.0 200 OK\r\n", b"HTTP/1.1 100 Continue\r\n", b"HTTP/1.1 101 X\r\n", b"\r\n",
    b"HTTP/1.1 204 X\r\n", b"HTTP/1.1 500 X\r\n", b"HTTP/1.1 000 X\r\n", b"Content-Length: 4\r\n", b"four", b"4\r\n",
    b"Content-Length: 1001\r\n", b"Content-Length: -1\r\n", b"Transfer-Encoding: chunked\r\n", b"0\r\n", b"fffff\r\n",
    b"Connection: close\r\n", b"Connection: upgrade\r\nUpgrade: x\r\n", b"Retry-After: 1\r\n", b"X", b":", b"\x00",
    b"4;a=b\r\n",
]  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.one_of(st.sampled_from(LINES), st.binary(max_size=20)), max_size=15),
    st.lists(st.integers(0, 300), max_size=5),
)
def test_whatever_comes_is_a_reply_or_one_of_the_known_failures(pieces: list[bytes], places: list[int]) -> None:
    heard(cut(b"".join(pieces), places))


@settings(max_examples=300, deadline=None)
@given(
    st.binary(max_size=MOST),
    st.lists(st.integers(1, 50), max_size=20),
    st.sampled_from(["length", "chunks", "end"]),
    st.lists(
        st.sampled_from([b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 X\r\nContent-Encoding: x\r\n\r\n"]),
        max_size=3,
    ),
    st.lists(st.integers(0, 1500), max_size=12),
)
def test_a_good_reply_is_the_same_however_it_is_cut(
    body: bytes, sizes: list[int], framing: str, interim: list[bytes], places: list[int]
) -> None:
    wire = {
        "length": reply(body),
        "chunks": chunked(*filter(None, cut(body, itertools.accumulate(sizes)))),
        "end": b"HTTP/1.1 200 OK\r\n\r\n" + body,
    }
    packets = cut(b"".join(interim) + wire[framing], places)
    said, again = heard(packets)
    assert isinstance(said, HttpReply)
    assert (said.status, said.body) == (200, body)
    assert again, "nothing came after it"


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from([OK, chunked(b"ok")]),
    st.binary(min_size=1, max_size=60).filter(lambda more: more.strip(b"\r\n")),
    st.lists(st.integers(0, 150), max_size=4),
)
def test_whatever_follows_a_reply_is_not_left_for_the_next_request(
    first: bytes, more: bytes, places: list[int]
) -> None:
    said, again = heard(cut(first + more, places), then_lost=False)
    assert isinstance(said, HttpReply)
    assert (said.body, again) == (b"ok", False)
