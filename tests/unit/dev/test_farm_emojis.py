"""Emoji look-ups: each service's own way, and the table they share."""

import pytest

from dev.farm.coco import LABELS
from dev.farm.emojis import exact, mappings, singular, underscored


@pytest.mark.parametrize(
    ("word", "by_exact", "by_underscored", "by_singular"),
    [
        ("dog", "🐶", "🐶", "🐶"),
        ("Dog", "🐶", "🐶", "🐶"),
        ("dogs", None, None, "🐶"),
        ("dining table", None, "🍽️", "🍽️"),
        ("dining_table", "🍽️", "🍽️", "🍽️"),
        ("hot dog", None, "🌭", "🌭"),
        ("golden_retriever", "🐶", "🐶", "🐶"),
        ("nonsense", None, None, None),
        ("", None, None, None),
    ],
)
def test_the_ways_to_look_up_differ(
    word: str, by_exact: str | None, by_underscored: str | None, by_singular: str | None
) -> None:
    assert (exact(word), underscored(word), singular(word)) == (by_exact, by_underscored, by_singular)


def test_every_label_has_an_emoji_but_four_only_with_underscores() -> None:
    assert all(underscored(label) for label in LABELS)
    assert [label for label in LABELS if not exact(label)] == [
        "parking meter",
        "hot dog",
        "potted plant",
        "dining table",
    ]


def test_some_emojis_carry_a_variation_selector_and_some_do_not() -> None:
    assert exact("umbrella") == "☂\ufe0f"
    assert exact("desktop") == "🖥"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("two dogs near a bench", [("dogs", "🐶"), ("bench", "🪑")]),
        ("A Street sign and a cup.", [("street_sign", "🪧"), ("cup", "☕")]),
        ("a hot dog, not a dog", [("hot_dog", "🌭"), ("dog", "🐶")]),
        ("a cat and a cat", [("cat", "🐱")]),
        ("nothing known", []),
        ("", []),
    ],
)
def test_a_caption_maps_its_words_in_order_each_once(text: str, found: list[tuple[str, str]]) -> None:
    assert mappings(text) == found
