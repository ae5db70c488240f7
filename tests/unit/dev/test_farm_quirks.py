"""The quirks of each service that its stand-in shows, and how often it is right."""

from itertools import groupby

import pytest

from dev.farm.answers import SERVICES, ocr, predictions
from dev.farm.layout import make_scene
from dev.farm.pictures import BrokenImage
from dev.farm.truth import Thing, Writing
from tests.unit.dev.farm_asking import all_answers, ask, plain, scene_with, undrawn


def _emojis_of(service: str, label: str) -> set[str | None]:
    thing = Thing(label, (100, 60, 300, 300))
    answers = [ask(service, undrawn(scene_with(thing, index=index))) for index in range(40)]
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
            for p, picture in all_answers(service)
        )

    assert leaving("detectron2") == 0
    assert leaving("yolov8") > 0
    assert leaving("rtdetr") > 0


@pytest.mark.parametrize("service", ["yolov8", "detectron2"])
def test_these_detectors_group_their_list_by_label(service: str) -> None:
    for index in range(60):
        labels = [p["label"] for p in ask(service, undrawn(make_scene(4, index)))]
        runs = [label for label, _ in groupby(labels)]
        assert len(runs) == len(set(runs))


def test_detectron2_reports_at_most_twenty_things() -> None:
    crowd = [Thing("dog", (x * 40, y * 40, 38, 38)) for x in range(16) for y in range(12)]
    assert len(ask("detectron2", undrawn(scene_with(*crowd)))) == 20
    assert len(ask("yolov8", undrawn(scene_with(*crowd)))) > 20


def test_inception_names_each_emoji_once_and_at_most_one_label_without() -> None:
    for index in range(150):
        emojis = [p.get("emoji") for p in ask("inception_v3", undrawn(make_scene(4, index)))]
        assert len(emojis) == len(set(emojis))


def test_clip_shares_add_up_to_at_most_one_and_fall() -> None:
    for index in range(60):
        shares = [p["confidence"] for p in ask("clip", undrawn(make_scene(4, index)))]
        assert len(shares) <= 10
        assert sum(shares) <= 1.005
        assert shares == sorted(shares, reverse=True)


def test_ocr_reads_most_letters_right_and_maps_the_words() -> None:
    text = Writing("STOP", (50, 50, 200, 60))
    read = [ask("ocr", undrawn(scene_with(texts=(text,), index=index)))[0] for index in range(100)]
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
    verdicts = [ask("nsfw2", undrawn(scene_with(nsfw=i % 2 == 0, index=i)))[0]["nsfw"] for i in range(400)]
    assert 0.8 < sum(verdicts[0::2]) / 200 < 0.99
    assert sum(verdicts[1::2]) / 200 < 0.05


def test_faces_are_found_where_they_are_drawn() -> None:
    person = Thing("person", (200, 100, 150, 180), (240, 150, 80, 80))
    answers = [ask("face", undrawn(scene_with(person, index=index))) for index in range(60)]
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
    people = [ask("pose", undrawn(scene_with(person, person, index=index))) for index in range(40)]
    assert {len(answer) for answer in people} == {0, 1}
    assert sum(map(len, people)) > 25
    assert ask("pose", undrawn(scene_with(dog))) == []


def test_captions_name_things_that_are_there_and_map_their_words() -> None:
    dog = Thing("dog", (100, 60, 300, 300))
    answers = [ask("blip", undrawn(scene_with(dog, dog, index=index)))[0] for index in range(60)]
    said = [p for p in answers if {"word": "dogs", "emoji": "🐶"} in p["emoji_mappings"]]
    assert 25 < len(said) < 60
    assert all("two dogs" in p["text"] for p in said)


def test_metadata_alone_cannot_take_a_transparent_picture() -> None:
    transparent = plain(mode="RGBA")
    with pytest.raises(BrokenImage, match="cannot write mode RGBA as JPEG"):
        predictions("metadata", transparent, 1)
    for service in set(SERVICES) - {"metadata"}:
        predictions(service, transparent, 1)
