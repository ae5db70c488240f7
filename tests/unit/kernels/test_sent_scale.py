"""From the pixels of what a service was sent to the pixels of the image."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from windmill.kernels.boxes.sent_scale import SentScale, read_sent_scale, scale_reply

HALVED = {"width": 200, "height": 90, "orientation": 6, "sent": {"width": 100, "height": 30}}


def scaled(prediction: object, note: dict[str, Any] = HALVED) -> object:
    reply = scale_reply({"predictions": [prediction], "status": "success"}, read_sent_scale(note))
    assert reply["status"] == "success"
    (one,) = reply["predictions"]
    return one


def test_a_note_says_the_size_of_the_upright_image_and_the_factors() -> None:
    assert read_sent_scale(HALVED) == SentScale((200, 90), 2.0, 3.0)
    assert read_sent_scale({"width": 200, "height": 90, "orientation": 6}) == SentScale((200, 90))


@pytest.mark.parametrize(
    "note",
    [
        None,
        [],
        "text",
        {},
        {"width": 0, "height": 5},
        {"width": True, "height": 5},
        {"width": 5.0, "height": 5},
        {"width": 2**31, "height": 5},
        {"sent": {"width": 5, "height": 5}},
    ],
)
def test_what_is_no_note_of_ours_scales_nothing(note: object) -> None:
    assert read_sent_scale(note) is None


@pytest.mark.parametrize("sent", [{}, None, {"width": 0, "height": 1}, {"width": "7", "height": 1}])
def test_a_sent_size_that_is_none_is_that_of_the_image(sent: object) -> None:
    assert read_sent_scale({"width": 4, "height": 5, "sent": sent}) == SentScale((4, 5))


def test_boxes_of_both_forms_and_keypoints_are_moved_and_nothing_else_is() -> None:
    assert scaled({"bbox": {"x": 1, "y": 2, "width": 3, "height": 4}, "label": "dog", "confidence": 0.5}) == {
        "bbox": {"x": 2, "y": 6, "width": 6, "height": 12},
        "label": "dog",
        "confidence": 0.5,
    }
    assert scaled({"bbox": [1, 2, 3, 4], "keypoints": {"nose": [5, 6]}}) == {
        "bbox": [2, 6, 6, 12],
        "keypoints": {"nose": [10, 18]},
    }


def test_landmarks_are_shares_of_the_sides_and_stay() -> None:
    pose = {"landmarks": {"nose": {"x": 0.5, "y": 0.25}}}
    assert scaled(pose) == pose


@pytest.mark.parametrize(
    "prediction",
    [
        None,
        7,
        "text",
        [1, 2],
        {"bbox": None},
        {"bbox": "x"},
        {"bbox": {"x": "1"}},
        {"keypoints": [1]},
        {"bbox": [None]},
    ],
)
def test_what_is_no_box_stays_for_the_reader_to_reject(prediction: object) -> None:
    assert scaled(prediction) == prediction


def test_a_reply_to_a_picture_of_full_size_is_passed_on_as_it_is() -> None:
    reply = {"predictions": [{"bbox": [1, 2, 3, 4]}]}
    assert scale_reply(reply, None) is reply
    assert scale_reply(reply, SentScale((9, 9))) is reply


@given(st.integers(1, 20_000), st.integers(1, 20_000), st.integers(1, 20_000), st.floats(0, 1))
def test_a_box_keeps_its_share_of_the_picture(width: int, height: int, sent: int, share: float) -> None:
    note = {"width": width, "height": height, "sent": {"width": sent, "height": sent}}
    moved = scaled({"bbox": [0, 0, share * sent, share * sent]}, note)
    assert isinstance(moved, dict)
    assert math.isclose(moved["bbox"][2], share * width, rel_tol=1e-9, abs_tol=1e-9)
    assert math.isclose(moved["bbox"][3], share * height, rel_tol=1e-9, abs_tol=1e-9)
