"""What the stand-ins say: the shapes and quirks of each service, repeatable, and honest about what is made up."""

import io
from collections.abc import Callable
from itertools import groupby
from typing import Any

import pytest
from PIL import Image

from dev.farm.answers import SERVICES, is_simulated, ocr, predictions
from dev.farm.layout import make_scene
from dev.farm.pictures import BrokenImage, Picture, open_picture
from dev.farm.scenes import encode
from dev.farm.truth import Scene, Thing, Writing, to_json

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


def _undrawn(scene: Scene) -> Picture:
    """A picture that knows its truth but has no pixels: enough for every service that answers from truth."""
    return Picture(to_json(scene), scene.width, scene.height, "JPEG", truth=scene)


def _scene(*things: Thing, texts: tuple[Writing, ...] = (), nsfw: bool = False, index: int = 0) -> Scene:
    return Scene(1, index, 640, 480, "park", things, texts, ("#808080",) * 3, "a scene", nsfw)


def _plain(
    color: tuple[int, int, int] = (200, 30, 30), size: tuple[int, int] = (120, 90), mode: str = "RGB"
) -> Picture:
    file = io.BytesIO()
    Image.new("RGB", size, color).convert(mode).save(file, "PNG")
    return open_picture(file.getvalue())


def _ask(service: str, picture: Picture, seed: int = 1) -> list[dict[str, Any]]:
    answer: list[dict[str, Any]] = predictions(service, picture, seed)
    return answer


def _all_answers(service: str, count: int = 150) -> list[tuple[dict[str, Any], Picture]]:
    pictures = [_undrawn(make_scene(4, index)) for index in range(count)]
    return [(prediction, picture) for picture in pictures for prediction in _ask(service, picture)]


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
    answers = _all_answers(service)
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
        answers.append(_ask(service, open_picture(data)))
    for answer in answers:
        answer[0].pop("exif_data", None) if answer else None  # the time of a temporary file
    assert answers[0] == answers[1]


@pytest.mark.parametrize("service", ["yolov8", "rtdetr", "detectron2", "clip", "blip", "face"])
def test_another_seed_errs_elsewhere(service: str) -> None:
    pictures = [_undrawn(make_scene(4, index)) for index in range(10)]
    assert [_ask(service, p, seed=1) for p in pictures] != [_ask(service, p, seed=2) for p in pictures]


@pytest.mark.parametrize("service", ["blip", "colors", "metadata", "nsfw2", "ocr", "ollama"])
def test_these_always_give_exactly_one_prediction(service: str) -> None:
    drawn = open_picture(encode(_scene()))
    assert [len(_ask(service, picture)) for picture in (drawn, _plain())] == [1, 1]


@pytest.mark.parametrize("service", SERVICES)
def test_a_scene_with_nothing_in_it_is_answered(service: str) -> None:
    assert isinstance(_ask(service, open_picture(encode(_scene()))), list)


def _emojis_of(service: str, label: str) -> set[str | None]:
    thing = Thing(label, (100, 60, 300, 300))
    answers = [_ask(service, _undrawn(_scene(thing, index=index))) for index in range(40)]
    return {p.get("emoji") for answer in answers for p in answer if p["label"] == label}


@pytest.mark.parametrize(
    ("service", "label", "emoji"),
    [
        ("yolov8", "dining table", None),
        ("rtdetr", "dining table", None),
        ("detectron2", "dining table", "🍽️"),
        ("clip", "dining table", "🍽️"),
        ("yolov8", "potted plant", None),
        ("detectron2", "potted plant", "🪴"),
        ("yolov8", "person", "🧑"),
        ("rtdetr", "traffic light", "🚦"),
        ("detectron2", "skis", "🎿"),
    ],
)
def test_look_ups_differ_between_services(service: str, label: str, emoji: str | None) -> None:
    assert _emojis_of(service, label) == {emoji}


def test_only_detectron2_keeps_its_boxes_inside_the_picture() -> None:
    def leaving(service: str) -> int:
        return sum(
            p["bbox"]["x"] < 0
            or p["bbox"]["y"] < 0
            or p["bbox"]["x"] + p["bbox"]["width"] > picture.width
            or p["bbox"]["y"] + p["bbox"]["height"] > picture.height
            for p, picture in _all_answers(service)
        )

    assert leaving("detectron2") == 0
    assert leaving("yolov8") > 0
    assert leaving("rtdetr") > 0


@pytest.mark.parametrize("service", ["yolov8", "detectron2"])
def test_these_detectors_group_their_list_by_label(service: str) -> None:
    for index in range(60):
        labels = [p["label"] for p in _ask(service, _undrawn(make_scene(4, index)))]
        runs = [label for label, _ in groupby(labels)]
        assert len(runs) == len(set(runs))


def test_detectron2_reports_at_most_twenty_things() -> None:
    crowd = [Thing("dog", (x * 40, y * 40, 38, 38)) for x in range(16) for y in range(12)]
    assert len(_ask("detectron2", _undrawn(_scene(*crowd)))) == 20
    assert len(_ask("yolov8", _undrawn(_scene(*crowd)))) > 20


def test_inception_names_each_emoji_once_and_at_most_one_label_without() -> None:
    for index in range(150):
        emojis = [p.get("emoji") for p in _ask("inception_v3", _undrawn(make_scene(4, index)))]
        assert len(emojis) == len(set(emojis))


def test_clip_shares_add_up_to_at_most_one_and_fall() -> None:
    for index in range(60):
        shares = [p["confidence"] for p in _ask("clip", _undrawn(make_scene(4, index)))]
        assert len(shares) <= 10
        assert sum(shares) <= 1.005
        assert shares == sorted(shares, reverse=True)


def test_ocr_reads_most_letters_right_and_maps_the_words() -> None:
    text = Writing("STOP", (50, 50, 200, 60))
    read = [_ask("ocr", _undrawn(_scene(texts=(text,), index=index)))[0] for index in range(100)]
    right = [p for p in read if p["text"] == "STOP"]
    assert 60 < len(right) < 100
    assert all(p["emoji_mappings"] == [{"word": "stop", "emoji": "🛑"}] for p in right)


def test_words_that_tesseract_doubts_are_left_out() -> None:
    columns: list[object] = ["level", "page_num", "left", "top", "width", "height", "conf", "text"]
    rows: list[list[object]] = [
        [5, 1, 10, 20, 30, 12, 96.5, 'say "STOP'],
        [5, 1, 50, 20, 30, 12, 21.0, "smudge"],
        [5, 1, 90, 20, 30, 12, 95.0, " "],
        [4, 1, 10, 20, 70, 12, -1, ""],
    ]
    table = "\n".join("\t".join(map(str, row)) for row in [columns, *rows])
    assert ocr.words_in(table) == [('say "STOP', 0.965, (10, 20, 30, 12))]
    assert ocr.words_in("") == []


def test_nsfw2_is_mostly_right() -> None:
    verdicts = [_ask("nsfw2", _undrawn(_scene(nsfw=i % 2 == 0, index=i)))[0]["nsfw"] for i in range(400)]
    assert 0.8 < sum(verdicts[0::2]) / 200 < 0.99
    assert sum(verdicts[1::2]) / 200 < 0.05


def test_faces_are_found_where_they_are_drawn() -> None:
    person = Thing("person", (200, 100, 150, 180), (240, 150, 80, 80))
    answers = [_ask("face", _undrawn(_scene(person, index=index))) for index in range(60)]
    near = [
        face
        for answer in answers
        for face in answer
        if abs(face["bbox"][0] - 240) < 20 and abs(face["bbox"][1] - 150) < 20
    ]
    assert len(near) > 50
    assert all(face["keypoints"]["right_eye"][0] < face["keypoints"]["left_eye"][0] for face in near)


def test_pose_describes_one_person_and_nobody_where_there_is_none() -> None:
    person, dog = Thing("person", (200, 100, 120, 300)), Thing("dog", (200, 100, 120, 300))
    people = [_ask("pose", _undrawn(_scene(person, person, index=index))) for index in range(40)]
    assert {len(answer) for answer in people} == {0, 1}
    assert sum(map(len, people)) > 25
    assert _ask("pose", _undrawn(_scene(dog))) == []


def test_captions_name_things_that_are_there_and_map_their_words() -> None:
    dog = Thing("dog", (100, 60, 300, 300))
    answers = [_ask("blip", _undrawn(_scene(dog, dog, index=index)))[0] for index in range(60)]
    said = [p for p in answers if {"word": "dogs", "emoji": "🐶"} in p["emoji_mappings"]]
    assert 25 < len(said) < 60
    assert all("two dogs" in p["text"] for p in said)


def test_metadata_alone_cannot_take_a_transparent_picture() -> None:
    transparent = _plain(mode="RGBA")
    with pytest.raises(BrokenImage, match="cannot write mode RGBA as JPEG"):
        predictions("metadata", transparent, 1)
    for service in set(SERVICES) - {"metadata"}:
        predictions(service, transparent, 1)


def test_nothing_is_simulated_where_the_truth_is_known() -> None:
    assert not any(is_simulated(service, _undrawn(make_scene(4, 1))) for service in SERVICES)


def test_without_truth_all_but_real_analysis_is_marked_simulated() -> None:
    real = {"colors", "metadata", "face"} | ({"ocr"} if ocr.engine() else set())
    assert {service for service in SERVICES if not is_simulated(service, _plain())} == real


@pytest.mark.parametrize(("service", "limit"), [("yolov8", 0.34), ("rtdetr", 0.34), ("detectron2", 0.59)])
def test_simulated_detections_are_few_and_unsure(service: str, limit: float) -> None:
    answers = [_ask(service, _plain((shade, 90, 90))) for shade in range(40)]
    assert max(map(len, answers)) <= 2
    assert min(map(len, answers)) == 0
    assert all(p["confidence"] <= limit for answer in answers for p in answer)
    assert not any(p["label"] == "person" for answer in answers for p in answer)


def test_an_unknown_service_finds_nothing_and_says_that_this_is_simulated() -> None:
    scene = _undrawn(make_scene(4, 1))
    assert predictions("nobody", scene, 1) == []
    assert is_simulated("nobody", scene)
