"""How pages write numbers, sizes and times, and draw what has no words."""

from datetime import UTC, datetime, timedelta

import pytest

from gateway.pages import words
from gateway.pages.badges import badge
from gateway.pages.sparkline import sparkline

NOW = datetime(2026, 5, 12, 9, 45, tzinfo=UTC)


def plain(text: str) -> str:
    return text.replace("\u00a0", " ")


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "\u2013"),
        (0, "0"),
        (1234, "1,234"),
        (41.83, "41.8"),
        (0.024, "0.02"),
        (195.6, "196"),
        (-3, "-3"),
        (2.0, "2"),
    ],
)
def test_a_number_has_commas_and_no_more_digits_than_say_something(value: float | None, shown: str) -> None:
    assert words.number(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [(None, "\u2013"), (0, "0 B"), (999, "999 B"), (214_000, "214 kB"), (999_600, "1.0 MB"), (4.1e11, "410 GB")],
)
def test_a_size_is_in_the_unit_that_suits_it(value: float | None, shown: str) -> None:
    assert plain(words.size(value)) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [("", ""), ("raise timeout_seconds", "Raise timeout_seconds."), ("is it up?", "Is it up?"), ("API", "API.")],
)
def test_a_remedy_becomes_a_sentence_and_keeps_its_names(text: str, shown: str) -> None:
    assert words.sentence(text) == shown


def test_a_name_may_be_broken_after_an_underscore_and_is_escaped() -> None:
    assert words.breakable("a_<b>_c") == "a_<wbr>&lt;b&gt;_<wbr>c"


@pytest.mark.parametrize(
    ("value", "shown"), [(None, "\u2013"), (0.0, ".00"), (0.944, ".94"), (0.9949, ".99"), (0.995, "1.0"), (1.0, "1.0")]
)
def test_a_probability_has_two_digits(value: float | None, shown: str) -> None:
    assert words.probability(value) == shown


def test_a_share_is_whole_only_when_all_is_there() -> None:
    shares = [(0, 0), (None, 5), (0, 5), (1, 3), (99_999, 100_000), (5, 5)]
    assert [plain(words.percent(*one)) for one in shares] == ["\u2013", "\u2013", "0 %", "33.3 %", "99.9 %", "100 %"]


@pytest.mark.parametrize(
    ("seconds", "measured", "expected"),
    [
        (None, "\u2013", "\u2013"),
        (0, "0 s", "done"),
        (0.2, "200 ms", "0 s"),
        (157, "2 min 37 s", "3 min"),
        (9_360, "2 h 36 min", "2.6 h"),
        (86_400 * 12, "12 d", "12 d"),
    ],
)
def test_what_is_measured_has_two_units_and_what_is_expected_one(
    seconds: float | None, measured: str, expected: str
) -> None:
    assert (plain(words.span(seconds)), plain(words.estimate(seconds))) == (measured, expected)


def test_a_moment_of_today_has_no_date_and_an_old_one_no_time() -> None:
    times = [NOW - timedelta(minutes=4), NOW - timedelta(days=1), NOW - timedelta(days=400)]
    assert [plain(words.clock(one, NOW)) for one in times] == ["09:41", "11 May 09:45", "7 Apr 2025"]
    assert [plain(words.ago(one, NOW)) for one in (*times, NOW, None)] == [
        "4 min ago", "1 d ago", "400 d ago", "just now", "never",
    ]  # fmt: skip


def test_one_thing_is_not_several() -> None:
    assert [plain(words.count(number, "copy", "copies")) for number in (0, 1, 2)] == ["0 copies", "1 copy", "2 copies"]
    assert (words.capped(9, 10), words.capped(10, 10), words.capped(None, 10)) == ("9", "10+", "\u2013")


def test_a_state_has_a_shape_a_colour_and_a_word_also_one_that_nobody_knows() -> None:
    assert (badge("away").shape, badge("away").tone, badge("away").word) == ("triangle", "bad", "away")
    assert (badge("lost").shape, badge("eaten").word, badge("paused", "waits").word) == ("broken", "eaten", "waits")


def test_a_sparkline_begins_at_nought_and_ends_now() -> None:
    line = sparkline([0, 5, 10], "clip")
    assert (line.path, line.end) == ("M0 18 48 10 96 2", 2)
    assert [sparkline(values, "").path for values in ([], [0], [3])] == ["M0 18 96 18", "M0 18 96 18", "M0 2 96 2"]
