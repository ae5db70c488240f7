"""What the stand-ins say: the shapes and quirks of each service, repeatable, and honest about what is made up."""

from collections.abc import Callable
from typing import Any

import pytest

from dev.farm.answers import SERVICES, is_simulated, ocr, predictions
from dev.farm.layout import make_scene
from dev.farm.pictures import Picture, open_picture
from dev.farm.scenes import encode
from tests.unit.dev.farm_asking import all_answers, ask, plain, scene_with, undrawn

Check = Callable[[dict[str, Any], Picture], bool]
# fmt: off
POSE_SIDES = (
    "eye_inner", "eye", "eye_outer", "ear", "shoulder", "elbow", "wrist", "pinky", "index", "thumb", "hip", "knee",
    "ankle", "heel", "foot_index",
)
THIRTEEN = {
    "blip", "clip", "colors", "detectron2", "face", "inception_v3", "metadata", "ocr", "nsfw2", "ollama", "pose",
    "rtdetr", "yolov8",
}
# fmt: on
POSE_NAMES = {"nose", "mouth_left", "mouth_right"} | {f"{s}_{p}" for s in ("left", "right") for p in POSE_SIDES}


def _three_decimals(value: object) -> bool:
    return isinstance(value, float) and 0 <= value <= 1 and round(value, 3) == value


def _detection(threshold: float) -> Check:
    def check(p: dict[str, Any], picture: Picture) -> bool:
        return (
            {"label", "confidence", "bbox"} <= set(p) <= {"label", "confidence", "bbox", "emoji"}
            and _three_decimals(p["confidence"])
            and p["confidence"] >= threshold
            and list(p["bbox"]) == ["x", "y", "width", "height"]
            and all(type(side) is int for side in p["bbox"].values())
            and p["bbox"]["width"] >= 0
            and p["bbox"]["height"] >= 0
            and p.get("emoji") != ""
        )

    return check


def _classification(least: float) -> Check:
    def check(p: dict[str, Any], picture: Picture) -> bool:
        return (
            {"label", "confidence"} <= set(p) <= {"label", "confidence", "emoji"}
            and _three_decimals(p["confidence"])
            and p["confidence"] >= least
            and p.get("emoji") != ""
        )

    return check


def _is_face(p: dict[str, Any], picture: Picture) -> bool:
    points = {"right_eye", "left_eye", "nose_tip", "mouth_center", "right_ear_tragion", "left_ear_tragion"}
    return (
        set(p) == {"label", "confidence", "bbox", "emoji", "keypoints"}
        and (p["label"], p["emoji"]) == ("face", "🙂")
        and len(p["bbox"]) == 4
        and all(type(side) is int for side in p["bbox"])
        and p["confidence"] >= 0.2
        and set(p["keypoints"]) == points
        and all(len(point) == 2 and all(type(c) is int for c in point) for point in p["keypoints"].values())
    )


def _is_pose(p: dict[str, Any], picture: Picture) -> bool:
    return (
        set(p) == {"landmarks", "pose_analysis"}
        and set(p["landmarks"]) == POSE_NAMES
        and len(POSE_NAMES) == 33
        and all(set(point) == {"x", "y", "z", "visibility"} for point in p["landmarks"].values())
        and set(p["pose_analysis"]["joint_angles"]) == {"left_elbow", "right_elbow", "left_knee", "right_knee"}
        and all(0 <= angle <= 180 for angle in p["pose_analysis"]["joint_angles"].values())
    )


def _is_ocr(p: dict[str, Any], picture: Picture) -> bool:
    return (
        set(p) == {"text", "has_text", "emoji", "emoji_mappings", "text_regions"}
        and p["has_text"] == bool(p["text"]) == bool(p["text_regions"]) == (p["emoji"] == "💬")
        and (p["emoji"] or "") in {"", "💬"}
        and all(set(region) == {"text", "confidence", "bbox"} for region in p["text_regions"])
        and all(set(mapping) == {"word", "emoji"} for mapping in p["emoji_mappings"])
    )


def _is_nsfw(p: dict[str, Any], picture: Picture) -> bool:
    return set(p) == {"confidence", "emoji", "nsfw"} and p["emoji"] == ("🔞" if p["nsfw"] else "")


def _is_blip(p: dict[str, Any], picture: Picture) -> bool:
    return set(p) == {"text", "emoji_mappings"} and all(set(m) == {"word", "emoji"} for m in p["emoji_mappings"])


def _is_ollama(p: dict[str, Any], picture: Picture) -> bool:
    words = [mapping["word"] for mapping in p.get("emoji_mappings", [])]
    return "text" in p and p.get("emoji_mappings") != [] and all(word == word.lower() for word in words)


@pytest.mark.parametrize(
    ("service", "check"),
    [
        ("yolov8", _detection(0.25)),
        ("rtdetr", _detection(0.25)),
        ("detectron2", _detection(0.5)),
        ("clip", _classification(0.01)),
        ("inception_v3", _classification(0.15)),
        ("face", _is_face),
        ("pose", _is_pose),
        ("ocr", _is_ocr),
        ("nsfw2", _is_nsfw),
        ("blip", _is_blip),
        ("ollama", _is_ollama),
    ],
)
def test_every_prediction_has_the_shape_of_its_service(service: str, check: Check) -> None:
    answers = all_answers(service)
    assert len(answers) > 30
    assert [p for p, picture in answers if not check(p, picture)] == []


def test_each_of_the_thirteen_services_answers() -> None:
    assert len(THIRTEEN) == 13
    assert set(SERVICES) >= THIRTEEN


@pytest.mark.parametrize("service", SERVICES)
def test_the_same_question_gets_the_same_answer(service: str) -> None:
    data = encode(make_scene(7, 2))
    answers = []
    for _ in range(2):
        open_picture.cache_clear()
        answers.append(ask(service, open_picture(data)))
    for answer in answers:
        answer[0].pop("exif_data", None) if answer else None  # the time of a temporary file
    assert answers[0] == answers[1]


@pytest.mark.parametrize("service", ["yolov8", "rtdetr", "detectron2", "clip", "blip", "face"])
def test_another_seed_errs_elsewhere(service: str) -> None:
    pictures = [undrawn(make_scene(4, index)) for index in range(10)]
    assert [ask(service, p, seed=1) for p in pictures] != [ask(service, p, seed=2) for p in pictures]


@pytest.mark.parametrize("service", ["blip", "colors", "metadata", "nsfw2", "ocr", "ollama"])
def test_these_always_give_exactly_one_prediction(service: str) -> None:
    drawn = open_picture(encode(scene_with()))
    assert [len(ask(service, picture)) for picture in (drawn, plain())] == [1, 1]


@pytest.mark.parametrize("service", SERVICES)
def test_a_scene_with_nothing_in_it_is_answered(service: str) -> None:
    assert isinstance(ask(service, open_picture(encode(scene_with()))), list)


def test_nothing_is_simulated_where_the_truth_is_known() -> None:
    assert not any(is_simulated(service, undrawn(make_scene(4, 1))) for service in SERVICES)


def test_without_truth_all_but_real_analysis_is_marked_simulated() -> None:
    real = {"colors", "metadata", "face"} | ({"ocr"} if ocr.engine() else set())
    assert {service for service in SERVICES if not is_simulated(service, plain())} == real


@pytest.mark.parametrize(("service", "limit"), [("yolov8", 0.34), ("rtdetr", 0.34), ("detectron2", 0.59)])
def test_simulated_detections_are_few_and_unsure(service: str, limit: float) -> None:
    answers = [ask(service, plain((shade, 90, 90))) for shade in range(40)]
    assert max(map(len, answers)) <= 2
    assert min(map(len, answers)) == 0
    assert all(p["confidence"] <= limit for answer in answers for p in answer)
    assert not any(p["label"] == "person" for answer in answers for p in answer)


def test_an_unknown_service_finds_nothing_and_says_that_this_is_simulated() -> None:
    scene = undrawn(make_scene(4, 1))
    assert predictions("nobody", scene, 1) == []
    assert is_simulated("nobody", scene)
