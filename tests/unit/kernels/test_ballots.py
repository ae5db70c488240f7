"""What is read out of replies, in all the shapes in which stores hold them."""

import json
import math
from typing import Any

import pytest
from hypothesis import given

from tests.unit.hostile_replies import any_json, steady
from tests.unit.votes import LABELS
from windmill.kernels.votes.ballots import ballots, confidence_of, text_of
from windmill.kernels.votes.merged_boxes import merged_boxes
from windmill.kernels.votes.specialist_findings import find


@pytest.mark.parametrize(
    "prediction",
    [
        {"text": "a dog", "emoji_mappings": [{"word": "dog", "emoji": "🐶"}]},
        {"text": "a dog", "word_mappings": {"dog": "🐶"}},
        {"properties": {"caption": "a dog", "word_mappings": {"dog": "🐶"}}},
        {"properties": {"caption": "a dog", "emoji_mappings": [{"word": "dog", "emoji": "🐶"}]}},
        {"label": "dog", "emoji": "🐶"},
        {"label": "dog"},
        {"label": "dog", "emoji": ""},
        {"label": "dog", "emoji": "dog"},
        {"label": "Dog", "emoji": 7},
    ],
)
def test_every_shape_that_services_ever_had_is_read(prediction: dict[str, Any]) -> None:
    said = ballots({"predictions": [prediction]}, LABELS)
    assert list(said) == ["🐶"]
    assert said["🐶"].word.lower() == "dog"


def test_mapped_words_do_not_hide_the_emoji_of_the_prediction_itself() -> None:
    prediction = {"emoji": "💬", "emoji_mappings": [{"word": "dog", "emoji": "🐶"}]}
    assert set(ballots({"predictions": [prediction]}, {})) == {"💬", "🐶"}


def test_predictions_of_the_whole_image_beside_the_others_count() -> None:
    assert set(ballots({"predictions": [{"emoji": "🐱"}], "full_image": [{"emoji": "🐶"}]}, {})) == {"🐱", "🐶"}


def test_each_ballot_tells_how_far_it_is_behind_the_surest_of_the_service() -> None:
    stated = (("🐶", 0.9), ("🐱", 0.5), ("🐻", None), ("⌚", 0.0))
    said = ballots({"predictions": [{"emoji": emoji, "confidence": value} for emoji, value in stated]}, {})
    behind = {emoji: ballot.behind for emoji, ballot in said.items()}
    assert behind == pytest.approx({"🐶": 0, "🐱": math.log(9), "🐻": math.log(9), "⌚": math.log(9 * 99)})


def test_colours_do_not_vote() -> None:
    assert ballots({"predictions": [{"type": "color_analysis", "emoji": "🔵"}]}, {}) == {}


def test_a_service_has_one_ballot_for_an_emoji_with_its_surest_word_and_all_its_spellings() -> None:
    predictions = [
        {"label": "watch", "emoji": "⌚", "confidence": 0.3},
        {"label": "clock", "emoji": "⌚️", "confidence": 0.7, "shiny": True},
        {"label": "timer", "emoji": "⌚"},
    ]
    for order in (predictions, predictions[::-1]):
        ballot = ballots({"predictions": order}, {})["⌚"]
        assert (ballot.confidence, ballot.word, ballot.shiny, ballot.count) == (0.7, "clock", True, 3)
        assert ballot.spellings == {"⌚": 2, "⌚️": 1}


@pytest.mark.parametrize("value", [True, -0.1, 1.1, 10**400, "0.5", None, [], {}])
def test_what_is_no_confidence_says_nothing(value: object) -> None:
    assert confidence_of(value) is None


def test_texts_are_one_line_of_bounded_length_that_can_be_written() -> None:
    assert text_of("a\n b\ud800" + "c" * 100, 10) == "a b?cccccc"
    assert text_of(7) == ""


@steady
@given(any_json)
def test_no_reply_and_no_box_is_too_strange_to_read(document: Any) -> None:  # noqa: ANN401
    for reply in (document, {"predictions": document}, {"predictions": [document]}):
        json.dumps([ballot.word for ballot in ballots(reply, LABELS).values()]).encode()
        for role in ("text", "face", "nsfw", "pose"):
            find(role, reply)
    assert isinstance(merged_boxes([document, {"label": "dog", "merged_bbox": document}], LABELS), list)


@pytest.mark.parametrize(
    ("role", "prediction", "confidence"),
    [
        ("text", {"has_text": True, "emoji": "", "text": "STOP"}, None),
        ("text", {"emoji": "💬", "text_regions": [{"confidence": 0.4}, {"confidence": 0.6}, 7]}, 0.6),
        ("text", {"has_text": True, "confidence": 0.3}, 0.3),
        ("face", {"label": "face", "emoji": "", "confidence": 0.7}, 0.7),
        ("face", {"emoji": "🙂"}, None),
        ("nsfw", {"nsfw": True, "emoji": "", "confidence": 0.9}, 0.9),
        ("pose", {"landmarks": {"nose": {"visibility": 0.8}, "hip": {"visibility": 0.4}}}, 0.6),
        ("pose", {"properties": {"landmarks": [{"visibility": 1}]}}, 1.0),
    ],
)
def test_specialists_are_understood_with_and_without_their_emoji(
    role: Any,  # noqa: ANN401 - a role
    prediction: dict[str, Any],
    confidence: float | None,
) -> None:
    finding = find(role, {"predictions": [prediction]})
    assert finding is not None
    assert finding.confidence == pytest.approx(confidence)


@pytest.mark.parametrize(
    ("role", "prediction"),
    [
        ("text", {"has_text": False, "emoji": "", "text": ""}),
        ("face", {"label": "hand", "emoji": ""}),
        ("nsfw", {"nsfw": False, "emoji": "", "confidence": 0.98}),
        ("pose", {"landmarks": {}}),
    ],
)
def test_a_specialist_that_found_nothing_finds_nothing(role: Any, prediction: dict[str, Any]) -> None:  # noqa: ANN401
    assert find(role, {"predictions": [prediction]}) is None
