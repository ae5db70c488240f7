from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from windmill.engines.process.log_tail import CHARACTERS, LogTail
from windmill.engines.process.output_lines import MAX_LINE_BYTES, LineSplitter, frames_path_in, progress_in


def lines_of(pieces: list[bytes]) -> list[str]:
    splitter = LineSplitter()
    found = [line for piece in pieces for line in splitter.feed(piece)]
    return [*found, *splitter.finish()]


@given(st.binary(max_size=200), st.lists(st.integers(0, 200), max_size=8))
def test_where_the_stream_is_cut_changes_no_line(data: bytes, cuts: list[int]) -> None:
    places = [0, *sorted(cut for cut in cuts if cut <= len(data)), len(data)]
    pieces = [data[start:end] for start, end in pairwise(places)]
    assert lines_of(pieces) == lines_of([data])


def test_a_line_without_end_takes_bounded_memory() -> None:
    splitter = LineSplitter()
    for _ in range(100):
        assert list(splitter.feed(b"x" * 65_536)) == []
    [line] = splitter.finish()
    assert len(line) == MAX_LINE_BYTES


def test_a_bar_that_is_drawn_over_itself_is_many_lines() -> None:
    assert lines_of([b"progress: 1\rprogress: 2\r\nbytes \xff"]) == ["progress: 1", "progress: 2", "", "bytes \ufffd"]


def test_progress_is_read_as_a_share() -> None:
    said = {"progress: 45": 0.45, "  Progress:100 % ": 1.0, "progress: 12.5": 0.125, "progress: 250": 1.0}
    assert {line: progress_in(line) for line in said} == said


def test_what_only_looks_like_progress_is_log() -> None:
    for line in (
        "progress: nan",
        "progress: -3",
        "progress: 1e9999",
        "my progress: 45",
        "progress:",
        "progress: 45 of 90",
    ):
        assert progress_in(line) is None


def test_the_folder_of_the_frames_may_hold_blanks() -> None:
    assert frames_path_in("frames_path: /tmp/my out/frames \n") == "/tmp/my out/frames"
    assert frames_path_in("frames_path:") is None


def test_the_log_shows_no_secret() -> None:
    tail = LogTail(["s3same"])
    tail.add("logging in with s3same")
    assert str(tail) == "logging in with ***"


def test_of_a_long_log_the_last_lines_stay() -> None:
    tail = LogTail()
    for number in range(1_000):
        tail.add(f"line {number} {'x' * 500}\x1b[31m")
    assert "\x1b" not in str(tail)
    assert len(str(tail)) <= CHARACTERS
    tail.add("the last one")
    assert str(tail).endswith("\nthe last one")
