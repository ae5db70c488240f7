"""Which keys boxes keep when an image is merged again."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.hostile_replies import steady
from windmill.kernels.boxes.box_identity import KnownBox, Place, carry_over_keys


@dataclass(frozen=True)
class New:
    label: str
    box: Place


HERE = (100, 100, 50, 50)


def keys(old: list[KnownBox], *new: New) -> list[str]:
    return [key for key, _ in carry_over_keys(old, new)]


def test_a_box_that_is_new_gets_a_key_and_is_its_own_anchor() -> None:
    ((key, anchor),) = carry_over_keys([], [New("cup", HERE)])
    assert len(key) == 16
    assert anchor == HERE


def test_a_key_follows_from_label_and_box_and_a_number_tells_equals_apart() -> None:
    first, twin, other = keys([], New("cup", HERE), New("cup", HERE), New("bowl", HERE))
    assert len({first, twin, other}) == 3
    assert keys([], New("cup", HERE), New("cup", HERE)) == [first, twin]


@pytest.mark.parametrize(
    ("place", "stays"),
    [
        ((101, 99, 50, 51), True),
        ((105, 100, 50, 50), True),  # 45 of 55
        ((100, 100, 50, 40), True),  # 0.8 exactly
        ((100, 100, 50, 39), False),
        ((106, 100, 50, 50), False),
    ],
)
def test_a_box_that_hardly_moved_keeps_key_and_anchor(place: Place, stays: bool) -> None:
    ((key, anchor),) = carry_over_keys([KnownBox("old", "cup", HERE)], [New("cup", place)])
    assert (key == "old") is stays
    assert anchor == (HERE if stays else place)


def test_another_label_gets_another_key() -> None:
    assert keys([KnownBox("old", "cup", HERE)], New("bowl", HERE)) != ["old"]


def test_the_nearest_inherits_and_the_others_get_fresh_keys() -> None:
    near, nearest = New("cup", (102, 100, 50, 50)), New("cup", (101, 100, 50, 50))
    far, inherited = keys([KnownBox("old", "cup", HERE)], near, nearest)
    assert inherited == "old" != far


def test_each_of_two_neighbours_keeps_its_own_key() -> None:
    old = [KnownBox("left", "cup", HERE), KnownBox("right", "cup", (103, 100, 50, 50))]
    assert keys(old, New("cup", (104, 100, 50, 50)), New("cup", (101, 100, 50, 50))) == ["right", "left"]


def test_a_key_does_not_travel_in_small_steps() -> None:
    known, seen = KnownBox("old", "cup", HERE), []
    for step in range(1, 9):
        ((key, anchor),) = carry_over_keys([known], [New("cup", (100 + 2 * step, 100, 50, 50))])
        known = KnownBox(key, "cup", anchor)
        seen.append(key)
    assert seen[:2] == ["old", "old"]
    assert seen[2] != "old"
    assert "old" not in seen[2:]


def test_a_fresh_key_is_never_one_that_was_there_before() -> None:
    key = keys([], New("cup", HERE))[0]
    assert keys([KnownBox(key, "bowl", HERE)], New("cup", HERE)) != [key]


@pytest.mark.parametrize("anchor", [(), (1, 2, 3), (1, 2, 3, 4, 5)])
def test_an_anchor_that_is_no_box_passes_nothing_on(anchor: tuple[int, ...]) -> None:
    assert keys([KnownBox("old", "cup", anchor)], New("cup", HERE)) != ["old"]


places = st.tuples(st.integers(-5, 5), st.integers(-5, 5), st.integers(30, 40), st.integers(30, 40))
news = st.lists(st.builds(New, st.sampled_from(["cup", "bowl"]), places), max_size=6)
olds = st.lists(
    st.builds(KnownBox, st.text(max_size=1), st.sampled_from(["cup", "bowl"]), places),
    max_size=6,
    unique_by=lambda one: one.key,
)


@steady
@given(olds, news, st.randoms(use_true_random=False))
def test_the_order_of_the_old_ones_does_not_matter(old: list[KnownBox], new: list[New], dice: object) -> None:
    shuffled = list(old)
    dice.shuffle(shuffled)  # type: ignore[attr-defined]
    assert carry_over_keys(shuffled, new) == carry_over_keys(old, new)


@steady
@given(olds, news)
def test_no_two_boxes_have_one_key(old: list[KnownBox], new: list[New]) -> None:
    found = keys(old, *new)
    assert len(set(found)) == len(found) == len(new)


@steady
@given(news)
def test_boxes_that_stay_keep_all_keys(new: list[New]) -> None:
    first = carry_over_keys([], new)
    known = [KnownBox(key, box.label, anchor) for (key, anchor), box in zip(first, new, strict=True)]
    assert sorted(carry_over_keys(known, new)) == sorted(first)
