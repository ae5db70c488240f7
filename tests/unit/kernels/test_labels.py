"""One spelling for each label, whichever vocabulary it comes from."""

import pytest
from hypothesis import given

from dev.farm.coco import LABELS
from tests.unit.hostile_replies import any_json, any_text, steady
from windmill.kernels.text.labels import MAX_EMOJI_LENGTH, MAX_LABEL_LENGTH, normalise_label, parse_emoji


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("Cell_Phone", "cell phone"),
        ("cellphone", "cell phone"),
        ("Mobile phone", "cell phone"),
        ("  TVMONITOR ", "tv"),
        ("television", "tv"),
        ("motorbike", "motorcycle"),
        ("aeroplane", "airplane"),
        ("sofa", "couch"),
        ("diningtable", "dining table"),
        ("pottedplant", "potted plant"),
        ("golden_retriever", "golden retriever"),
        ("Straße", "straße"),
    ],
)
def test_spellings_of_one_thing_come_to_one_label(said: str, meant: str) -> None:
    assert normalise_label(said) == meant


def test_no_two_coco_labels_become_one() -> None:
    assert [normalise_label(label) for label in LABELS] == list(LABELS)


@pytest.mark.parametrize(
    "label", [None, 7, True, ["cup"], {"label": "cup"}, "", "  ", "__", "x" * (MAX_LABEL_LENGTH + 1)]
)
def test_what_is_no_label_is_none(label: object) -> None:
    assert normalise_label(label) == ""


@pytest.mark.parametrize(
    ("value", "emoji"),
    [("🧑", "🧑"), (" 🍵 ", "🍵"), ("", ""), (None, ""), (1, ""), (["🧑"], ""), ("🧑" * (MAX_EMOJI_LENGTH + 1), "")],
)
def test_what_is_no_emoji_is_none(value: object, emoji: str) -> None:
    assert parse_emoji(value) == emoji


@steady
@given(any_text)
def test_a_label_that_is_normalised_stays_as_it_is(label: str) -> None:
    assert normalise_label(normalise_label(label)) == normalise_label(label)


@steady
@given(any_json)
def test_any_json_has_a_label_and_an_emoji_or_none(value: object) -> None:
    assert isinstance(normalise_label(value), str)
    assert isinstance(parse_emoji(value), str)
