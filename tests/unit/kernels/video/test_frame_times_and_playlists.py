"""Ticks, playlists, tracks of thumbnails and filters."""

from fractions import Fraction

import pytest

from windmill.kernels.video.filters import BadFilter, VideoFilters, read_filters
from windmill.kernels.video.fragments import BadFragments, move_fragments, split_fragments
from windmill.kernels.video.frame_times import frame_rate, is_steady, shown_at, timescale, to_ticks
from windmill.kernels.video.playlist import PlayablePiece, render_playlist
from windmill.kernels.video.styles import STYLES, style_filter
from windmill.kernels.video.thumbnail_track import MOST, cell_of, from_keyframes, interval, render_track


@pytest.mark.parametrize(
    ("base", "scale"), [("1/15360", 15_360), ("1001/30000", 30_000), ("1/1000", 16_000), ("1/90000", 90_000)]
)
def test_every_time_of_the_source_is_a_whole_number_of_ticks(base: str, scale: int) -> None:
    assert timescale(Fraction(base)) == scale
    assert (Fraction(base) * scale).denominator == 1


def test_ten_hours_of_23_976_drift_by_nothing() -> None:
    frames = 10 * 3_600 * 24
    assert to_ticks(frames * Fraction(1_001, 24_000), 24_000) == frames * 1_001


def test_times_that_a_container_rounds_are_steady_and_those_of_a_telephone_are_not() -> None:
    assert is_steady([0, 33, 67, 100, 133])
    assert not is_steady([0, 33, 100, 133])
    assert frame_rate([0, 1_001, 2_002], 30_000) == Fraction(30_000, 1_001)


def test_what_was_seen_last_is_shown_until_the_next_is_seen() -> None:
    assert shown_at([0, 1, 2, 3, 4], [0, 3]) == [0, 0, 0, 1, 1]


def test_a_playlist_ends_before_a_gap_and_keeps_its_target() -> None:
    pieces = [PlayablePiece(number, f"{number}.m4s", Fraction(6)) for number in (3, 0, 1)]
    text = render_playlist(pieces, "init.mp4", Fraction(19, 2), whole=False)
    assert [line for line in text.splitlines() if line.endswith(".m4s")] == ["0.m4s", "1.m4s"]
    assert "#EXT-X-TARGETDURATION:10" in text
    assert "#EXT-X-PLAYLIST-TYPE:EVENT" in text
    assert "ENDLIST" not in text
    assert render_playlist(pieces, "init.mp4", Fraction(6), whole=True).endswith("#EXT-X-ENDLIST\n")


def test_a_track_says_which_part_of_which_sheet_is_shown_when() -> None:
    text = render_track([0.0, 2.5], 5.0, 160, 90, ["a.jpg"])
    assert "00:00:02.500 --> 00:00:05.000\na.jpg#xywh=160,0,160,90" in text
    cell = cell_of(100, 160, 90)
    assert (cell.sheet, cell.x, cell.y) == (1, 0, 0)


def test_there_are_never_too_many_thumbnails_and_keyframes_suffice_for_long_videos() -> None:
    assert all(seconds / interval(seconds) <= MOST for seconds in (0.04, 3, 60, 3_600, 36_000))
    assert from_keyframes(60, 2)
    assert not from_keyframes(3, 2)


@pytest.mark.parametrize(
    "document",
    [
        {"movie": "/etc/passwd"},
        {"style": "x,movie=/etc/passwd"},
        {"scale": 100},
        {"scale": "2"},
        {"grain": True},
        {"deflicker": 1},
        {"denoise": float("nan")},
    ],
)
def test_no_text_that_somebody_wrote_becomes_a_filter(document: dict[str, object]) -> None:
    with pytest.raises(BadFilter):
        read_filters(document)


def test_filters_that_do_nothing_are_none_at_all() -> None:
    assert VideoFilters().render() == []


@pytest.mark.parametrize("name", STYLES)
def test_a_style_is_decided_by_its_name_and_seed_alone(name: str) -> None:
    assert style_filter(name, 3) == style_filter(name, 3) != style_filter(name, 4)


@pytest.mark.parametrize("data", [b"", b"\0\0\0\x20ftyp", b"\0\0\0\x08moov", b"\0\0\0\x01moof\xff\xff\xff\xff"])
def test_bytes_that_are_no_fragments_are_refused(data: bytes) -> None:
    with pytest.raises(BadFragments):
        split_fragments(data)
    with pytest.raises(BadFragments):
        move_fragments(b"\0\0\0\x08moof", 0, 0)
