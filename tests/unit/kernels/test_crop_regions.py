"""Which services look at a box, what is cut out for them, and where their answers lie in the image."""

import json

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.hostile_replies import any_json, steady
from windmill.core.services import load_fleet
from windmill.core.settings import ROOT
from windmill.kernels.boxes.crop_regions import (
    MIN_SIDE,
    Rectangle,
    crop_for,
    in_image,
    is_person,
    locate_predictions,
    services_for_box,
)

REPLIES = ROOT / "tests" / "conformance" / "services" / "replies"
SIZE = (640, 480)
CROP = Rectangle(100, 50, 200, 120)


def boxed(x: float, y: float, width: float, height: float) -> dict[str, object]:
    return {"label": "cup", "merged_bbox": {"x": x, "y": y, "width": width, "height": height}}


def test_the_box_of_a_person_is_shown_to_face_pose_and_colors_and_any_other_to_colors() -> None:
    services = load_fleet(ROOT / "service_config.json").services
    looks = {name: service.enriches for name, service in services.items() if service.enriches}
    assert services_for_box({"label": "person"}, looks) == ("colors", "face", "pose")
    assert services_for_box({"label": "dog"}, looks) == services_for_box(None, looks) == ("colors",)
    assert services_for_box({"label": "person"}, {}) == ()


@pytest.mark.parametrize(
    "box",
    [
        *({"label": label} for label in ("person", "Woman", "baby_girl", "police man", "two children", "boy, running")),
        *({"emoji": emoji} for emoji in "🧑👩👨🧒👶👧👦"),
        {"label": "unknown", "emoji": "👩🏽"},
        {"label": "astronaut", "emoji": "👩🏽\u200d🚀"},
        {"label": 7, "emoji": "🧑\ufe0f"},
        {"label": "family", "emoji": "👨\u200d👩\u200d👧"},
    ],
)
def test_a_person_is_known_by_a_word_of_the_label_or_by_the_emoji_whatever_its_skin(box: object) -> None:
    assert is_person(box)


@pytest.mark.parametrize(
    "box",
    [
        *({"label": label} for label in ("snowman", "womanizer", "manhole", "man-made lake", "personal computer", "")),
        *({"emoji": emoji} for emoji in ("🐶", "🙂", "", "🏽", "\u200d👩", "👩👩")),
        *({"label": label} for label in (None, 7, ["person"], {"person": 1})),
        *(None, "person", ["person"], {}),
    ],
)
def test_parts_of_words_and_other_things_are_no_person(box: object) -> None:
    assert not is_person(box)


@pytest.mark.parametrize(
    ("box", "crop"),
    [
        (boxed(100, 50, 200, 120), (100, 50, 200, 120)),
        (boxed(100.7, 50.2, 200, 120), (100, 50, 201, 121)),
        (boxed(-20, -30, 100, 100), (0, 0, 80, 70)),
        (boxed(600, 440, 100, 100), (600, 440, 40, 40)),
        (boxed(-5, -5, 1000, 1000), (0, 0, 640, 480)),
        (boxed(100, 50, 4, 120), (90, 50, 24, 120)),
        (boxed(100, 50, 23, 24), (100, 50, 24, 24)),
        (boxed(0, 0, 2, 2), (0, 0, 24, 24)),
        (boxed(638, 478, 2, 2), (616, 456, 24, 24)),
        (boxed(639.5, 479.5, 100, 100), (616, 456, 24, 24)),
    ],
)
def test_a_crop_is_the_part_of_the_box_in_the_image_and_at_least_24_pixels_wide_and_high(
    box: object, crop: tuple[int, int, int, int]
) -> None:
    assert crop_for(box, SIZE) == crop


def test_a_box_may_also_be_a_list() -> None:
    assert crop_for({"merged_bbox": [100, 50, 200, 120]}, SIZE) == CROP


def test_an_image_that_is_smaller_than_the_smallest_crop_is_shown_whole() -> None:
    assert crop_for(boxed(3, 3, 1, 1), (10, 5)) == (0, 0, 10, 5)


@pytest.mark.parametrize(
    "box",
    [
        boxed(640, 0, 10, 10),
        boxed(0, 480, 10, 10),
        boxed(-10, 0, 10, 10),
        boxed(0, -11, 10, 10),
        boxed(5, 5, 0, 10),
        boxed(5, 5, 10, -1),
        boxed(1e300, 5, 10, 10),
        boxed(10**4000, 5, 10, 10),
        boxed(True, 5, 10, 10),
        {"merged_bbox": {"x": "1", "y": 1, "width": 9, "height": 9}},
        {"merged_bbox": {"x": 1, "y": 1, "width": 9}},
        {"merged_bbox": [1, 2, 3]},
        {"merged_bbox": [1, 2, 3, 4, 5]},
        {"merged_bbox": "1 2 3 4"},
        {"merged_bbox": None},
        {},
        [],
        None,
    ],
)
def test_nothing_is_cut_for_a_box_that_has_no_pixel_in_the_image_or_cannot_be_read(box: object) -> None:
    assert crop_for(box, SIZE) is None


@steady
@given(
    st.tuples(*[st.integers(-8000, 8000).map(lambda quarters: quarters / 4)] * 4),
    st.tuples(st.integers(1, 1000), st.integers(1, 1000)),
    st.integers(1, 64),
)
def test_a_crop_lies_in_the_image_covers_the_box_there_and_is_no_larger_than_it_must_be(
    numbers: tuple[float, float, float, float], size: tuple[int, int], least: int
) -> None:
    crop = crop_for(boxed(*numbers), size, least)
    x, y, width, height = numbers
    if crop is None:
        assert min(width, height) <= 0 or x + width <= 0 or y + height <= 0 or x >= size[0] or y >= size[1]
        return
    for at, side, start, length, end in (
        (crop.x, crop.width, x, width, size[0]),
        (crop.y, crop.height, y, height, size[1]),
    ):
        assert 0 <= at < at + side <= end
        assert min(least, end) <= side <= max(min(least, end), length + 2)
        assert at <= max(start, 0)
        assert at + side >= min(start + length, end)


def test_a_face_in_a_crop_lies_in_the_image_by_the_crops_corner() -> None:
    face = {
        "label": "face",
        "bbox": [10, -4, 30, 40],
        "keypoints": {"nose_tip": [25, 20.26], "left_eye": [0, 0]},
    }
    assert in_image(face, CROP) == {
        "bbox": {"x": 110, "y": 46, "width": 30, "height": 40},
        "keypoints": {"nose_tip": [125, 70.3], "left_eye": [100, 50]},
    }


def test_landmarks_are_shares_of_the_crop_and_may_lie_outside_it() -> None:
    pose = {
        "landmarks": {
            "nose": {"x": 0.5, "y": 0.25, "z": -1.2, "visibility": 0.98},
            "left_ankle": {"x": -0.1, "y": 2.5},
        },
        "pose_analysis": {"joint_angles": {"left_knee": 12.5}},
    }
    assert in_image(pose, CROP) == {
        "landmarks": {"nose": {"x": 200, "y": 80, "visibility": 0.98}, "left_ankle": {"x": 80, "y": 350}}
    }


def test_what_is_stored_holds_the_predictions_as_they_came_the_crop_and_their_places() -> None:
    predictions = [{"primary": {"hex": "#d1e0e3"}}, {"bbox": [1, 2, 3, 4]}]
    assert locate_predictions(predictions, CROP) == {
        "predictions": predictions,
        "crop": {"x": 100, "y": 50, "width": 200, "height": 120},
        "in_image": [{}, {"bbox": {"x": 101, "y": 52, "width": 3, "height": 4}}],
    }
    assert locate_predictions([], CROP)["in_image"] == []


@pytest.mark.parametrize(
    "prediction",
    [
        None,
        "face",
        [],
        {"bbox": [1, 2, "3", 4], "keypoints": [1, 2], "landmarks": "many"},
        {"bbox": {"x": 1}, "keypoints": {"nose": [1]}, "landmarks": {"nose": [0.5, 0.5]}},
        {"bbox": [1, 2, None, 4], "keypoints": {"nose": {"x": 1}}, "landmarks": {"nose": {"x": 0.5}}},
        {"bbox": [1, 2, 0, 4], "keypoints": {"nose": [1e10, 2]}, "landmarks": {"nose": {"x": "0.5", "y": True}}},
        {"bbox": 10**4000, "keypoints": {"nose": [10**4000, 1]}, "landmarks": {"nose": {"x": 1e308, "y": 1}}},
    ],
)
def test_what_has_no_place_is_left_out(prediction: object) -> None:
    assert in_image(prediction, CROP) == {}


def test_one_point_that_cannot_be_read_does_not_take_the_others_away() -> None:
    assert in_image({"keypoints": {"a": [1, 2], "b": None, "c": ["1", 2]}}, CROP) == {"keypoints": {"a": [101, 52]}}


hostile_parts = st.fixed_dictionaries(
    {},
    optional={
        **{name: any_json for name in ("label", "emoji")},
        **{name: st.lists(any_json, max_size=5) for name in ("merged_bbox", "bbox")},
        "keypoints": st.dictionaries(st.text(max_size=3), st.lists(any_json, max_size=4), max_size=3),
        "landmarks": st.dictionaries(
            st.text(max_size=3),
            st.fixed_dictionaries({}, optional={"x": any_json, "y": any_json, "visibility": any_json}),
            max_size=3,
        ),
    },
)


@steady
@given(st.one_of(any_json, hostile_parts))
def test_no_json_breaks_anything(value: object) -> None:
    assert services_for_box(value, {"face": "persons", "colors": "boxes"}) in (("face", "colors"), ("colors",))
    crop = crop_for(value, SIZE)
    assert crop is None or min(crop.width, crop.height) >= MIN_SIDE
    json.dumps(in_image(value, CROP), allow_nan=False)


@pytest.mark.parametrize("name", ["face.scene.json", "pose.scene.json"])
def test_every_place_in_a_captured_reply_is_found(name: str) -> None:
    predictions = orjson.loads((REPLIES / name).read_bytes())["body"]["predictions"]
    assert predictions
    for prediction, found in zip(predictions, locate_predictions(predictions, CROP)["in_image"], strict=True):
        assert set(found) == {"bbox", "keypoints", "landmarks"} & set(prediction)
        for key in {"keypoints", "landmarks"} & set(prediction):
            assert set(found[key]) == set(prediction[key])
