"""Packets as ffmpeg tells them, and where a video is cut."""

import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from windmill.kernels.video.packet_scan import BadScan, PacketScan, ScannedStream
from windmill.kernels.video.segments import LEAST, MOST, cut_segments

SCAN = b"""#software: Lavf59.27.100
#tb 0: 1/15360
#media_type 0: video
#codec_id 0: h264
#dimensions 0: 320x180
#tb 1: 1/44100
#media_type 1: audio
#codec_id 1: aac
0,      -1024,          0,      512,     4097, 0xbf829195
0,       -512,       2048,      512,     1609, 0x77161adf, F=0x0
1,      -1024,      -1024,     1024,      258, 0x2c5b786a, F=0x5, S=1, Skip Samples,       10, 0x00240004
1,          0,          0,     1024,      258, 0x8057765e
"""


def test_streams_and_times_are_read() -> None:
    scan = PacketScan()
    for line in SCAN.splitlines(keepends=True):
        scan.feed(line)
    video, audio = scan.of_type("video"), scan.of_type("audio")
    assert video
    assert audio
    assert (video.codec, video.time_base, video.width, video.height) == ("h264", Fraction(1, 15_360), 320, 180)
    assert (list(video.pts), video.is_key(0), video.is_key(1)) == ([0, 2_048], True, False)
    assert (audio.packets, audio.frames, audio.first, audio.last, audio.last_duration) == (2, 1, 0, 0, 1_024)


@pytest.mark.parametrize("line", [b"no packet\n", b"7, 0, 0, 1, 1, 0x0\n", b"#tb 0: 1/0\n", b"0, 1\n", b"\xff\xfe\n"])
def test_a_line_that_is_none_of_a_scan_is_refused(line: bytes) -> None:
    with pytest.raises(BadScan):
        PacketScan().feed(line)


@contextmanager
def traced() -> Iterator[Callable[[], tuple[int, int]]]:
    """Tells how many bytes there are more than before, and were at most."""
    tracemalloc.start()
    try:
        yield tracemalloc.get_traced_memory
    finally:
        tracemalloc.stop()


FRAMES = 30_000
SPARE = 20_000
"""Bytes that do not depend on how many frames there are."""


def long_scan() -> PacketScan:
    scan = PacketScan()
    for line in SCAN.splitlines()[:8]:
        scan.feed(line)
    for number in range(FRAMES):
        scan.feed(b"0, %d, %d, 512, 40, 0x0, F=0x%d" % (number * 512, (number ^ 1) * 512, number % 60 == 0))
        scan.feed(b"1, %d, %d, 1024, 40, 0x0" % (number * 1_024, number * 1_024))
    return scan


def test_a_frame_takes_nine_bytes_while_its_video_is_planned_and_a_packet_of_sound_takes_none() -> None:
    with traced() as memory:
        scan = long_scan()
        kept, _ = memory()
    assert kept < 9 * FRAMES * 17 / 16 + SPARE, "arrays grow by a sixteenth"
    video, audio = scan.of_type("video"), scan.of_type("audio")
    assert video
    assert audio
    assert (video.frames, audio.packets, audio.last) == (FRAMES, FRAMES, (FRAMES - 1) * 1_024)


def test_planning_a_video_takes_some_bytes_a_frame_and_no_object_for_each() -> None:
    video = long_scan().of_type("video")
    assert video
    with traced() as memory:
        shown = video.shown
        segments = cut_segments(video, Fraction(6 * 15_360))
        _, most = memory()
    assert most < 24 * FRAMES + SPARE
    assert list(shown) == [number * 512 for number in range(FRAMES)]
    assert sum(one.frames for one in segments) == FRAMES


def stream(*packets: tuple[int, bool]) -> ScannedStream:
    """Packets in the order of decoding: when each is shown, and whether it is a keyframe."""
    made = ScannedStream("video", "h264", Fraction(1))
    for time, key in packets:
        made.add(time, 1, 1 if key else 0)
    return made


def even(frames: int, gap: int) -> ScannedStream:
    return stream(*((time, time % gap == 0) for time in range(frames)))


def test_a_segment_begins_with_the_first_keyframe_after_the_wished_length() -> None:
    found = cut_segments(even(100, 5), Fraction(12))
    assert [(one.first, one.frames, one.end) for one in found] == [
        (0, 15, 15),
        (15, 15, 30),
        (30, 15, 45),
        (45, 15, 60),
        (60, 15, 75),
        (75, 15, 90),
        (90, 10, 100),
    ]


def test_a_keyframe_that_later_packets_are_shown_before_is_no_cut() -> None:
    """The frame 9 is decoded after the keyframe 10, and needs what came before it."""
    opened = stream(
        *((time, time == 0) for time in range(9)), (10, True), (9, False), *((t, False) for t in range(11, 20))
    )
    assert len(cut_segments(opened, Fraction(5))) == 1


def test_a_video_without_keyframes_is_one_segment() -> None:
    assert [one.frames for one in cut_segments(even(1_000, 1_000), Fraction(6))] == [1_000]


@given(
    steps=st.lists(st.integers(1, 9), min_size=1, max_size=120),
    keys=st.sets(st.integers(1, 119)),
    wished=st.integers(1, 60),
)
def test_segments_hold_every_frame_once_and_follow_each_other(steps: list[int], keys: set[int], wished: int) -> None:
    times = [sum(steps[:place]) for place in range(len(steps))]
    found = cut_segments(
        stream(*((time, not place or place in keys) for place, time in enumerate(times))), Fraction(wished)
    )
    assert sum(one.frames for one in found) == len(times)
    assert [one.end for one in found[:-1]] == [one.first for one in found[1:]]
    assert {one.packet for one in found} <= {0, *keys}
    for before, _ in pairwise(found):
        assert before.end - before.first >= wished * LEAST


@given(frames=st.integers(2, 400), gap=st.integers(1, 6), wished=st.integers(9, 40))
def test_where_keyframes_are_close_no_segment_is_much_longer_than_wished(frames: int, gap: int, wished: int) -> None:
    longest = max(one.end - one.first for one in cut_segments(even(frames, gap), Fraction(wished)))
    assert longest <= wished * MOST + wished * LEAST
