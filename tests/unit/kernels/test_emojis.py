"""Which emojis count as the same, and how they are written."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from windmill.kernels.votes.emojis import group_of, render_emoji


@pytest.mark.parametrize(
    ("some", "others"),
    [
        ("🧑", "👩"),
        ("🧑", "👨"),
        ("🧑", "🧒"),
        ("🧑", "👶🏽"),
        ("🧑", "👩🏿"),
        ("🧑", "👩‍🍳"),
        ("🧑", "👨‍👩‍👧‍👦"),
        ("⌚", "⌚️"),
        ("⌚", " ⌚︎ "),
        ("☂", "☂️"),
        ("🐕", "🐕‍🦺"),
        ("👍", "👍🏻"),
        ("🏃", "🏃🏾‍♀️"),
        ("🏳‍🌈", "🏳️‍🌈"),
        ("1⃣", "1️⃣"),
    ],
)
def test_spellings_and_variants_of_one_thing_are_one_group(some: str, others: str) -> None:
    assert group_of(some) == group_of(others) is not None


@pytest.mark.parametrize(
    ("one", "other"), [("🐱", "🐈"), ("🧑", "👥"), ("🏳️‍🌈", "🏳️"), ("🏴‍☠️", "🏴"), ("🇩🇪", "🇫🇷"), ("1️⃣", "2️⃣")]
)
def test_different_things_stay_apart(one: str, other: str) -> None:
    assert group_of(one) != group_of(other)


@pytest.mark.parametrize(
    "value",
    ["", " ", "dog", "1", "\ufe0f", "\u200d", "🏽", "\ud800", "🐶\ud800", "🐶" * 33, None, 7, True, [], {}, 1e300],
)
def test_what_is_no_emoji_has_no_group(value: object) -> None:
    assert group_of(value) is None


@given(st.text(max_size=40))
@example("\x80\r\ufe0f")
@example("👩 \u200d🚀")
def test_a_group_is_a_group_of_itself(text: str) -> None:
    group = group_of(text)
    assert group is None or group_of(group) == group


@pytest.mark.parametrize(
    ("group", "spellings", "shown"),
    [
        ("🧑", {"👩": 5, "🧑": 1}, "🧑"),
        ("⌚", {"⌚": 2, "⌚️": 1}, "⌚"),
        ("⌚", {"⌚": 1, "⌚️": 1}, "⌚️"),
        ("🐕", {"🐕": 1, "🐕‍🦺": 1}, "🐕"),
        ("✈", {}, "✈"),
    ],
)
def test_the_commonest_spelling_is_shown_and_of_equals_the_prettier(
    group: str, spellings: dict[str, int], shown: str
) -> None:
    assert render_emoji(group, spellings) == shown
    assert render_emoji(group, dict(reversed(spellings.items()))) == shown
