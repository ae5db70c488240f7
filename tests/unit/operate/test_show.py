"""python -m windmill show: how rows become values, and values words."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from windmill.operate.show.image_report import (
    BoxAnswer,
    ImageRecord,
    ImageReport,
    ServiceAnswer,
    box_of,
    failure_of,
    said_of,
    special_of,
    votes_of,
)
from windmill.operate.show.reading import nearest_names, places_of
from windmill.operate.show.render import render_report_json, render_report_text

IMAGE = ImageRecord(
    17, None, "dog.jpg", "/pictures/dog.jpg", None, "holidays", 640, 480, datetime(2026, 1, 2, tzinfo=UTC)
)
VOTE = {
    "votes": {
        "consensus": [{"emoji": "🐶", "probability": 0.93, "why": {"sentence": "Said by clip and yolov8."}}],
        "runners_up": [{"emoji": "🐱", "probability": 0.1, "why": {"sentence": "Said by blip."}}],
    },
    "special": {"text": {"detected": True, "confidence": 0.9}, "face": {"detected": False}},
}
BOX = {
    "label": "dog",
    "emoji": "🐶",
    "confidence": 0.88,
    "merged_bbox": {"x": 1, "y": 2, "width": 30, "height": 40},
    "contributing_services": ["yolov8"],
    "silent_services": ["rtdetr"],
}


def report() -> ImageReport:
    answers = [
        BoxAnswer("colors", ("brown",), None),
        BoxAnswer("face", (), failure_of("SERVICE_ERROR", "500", final=False)),
    ]
    return ImageReport(
        image=IMAGE,
        votes=votes_of(VOTE, "consensus"),
        runners_up=votes_of(VOTE, "runners_up"),
        special=special_of(VOTE),
        calibration="1",
        boxes=(box_of(BOX, answers),),
        answers=(
            ServiceAnswer("clip", 1, 0.2, None),
            ServiceAnswer("ocr", 4, None, failure_of("IMAGE_NOT_FOUND", "no file\x1b[2J\n/pictures/dog.jpg")),
        ),
        awaited=("blip", "ollama"),
        open_stages=("consensus",),
    )


def test_all_that_is_known_is_told_in_words() -> None:
    text = render_report_text(report())
    for said in (
        "/pictures/dog.jpg (image 17, group holidays, 640 x 480)",
        "🐶 0.93: Said by clip and yolov8.",
        "🐱 0.10: Said by blip.",
        "found by specialists: text 0.90",
        "🐶 dog 0.88 at 1,2, 30 x 40, seen by yolov8; rtdetr did not see it",
        "colors says brown",
        "face failed and is tried again: SERVICE_ERROR: 500. Remedy: ",
        "answered: clip\n",
        "failed: ocr: IMAGE_NOT_FOUND: no file\ufffd[2J /pictures/dog.jpg. Remedy: ",
        "awaited: blip and ollama\n",
        "yet to be recomputed: consensus\n",
    ):
        assert said in text
    assert "\x1b" not in text


def test_the_same_is_told_as_json() -> None:
    document = render_report_json(report())
    assert document["image"]["image_id"] == 17
    assert document["votes"][0]["sentence"] == "Said by clip and yolov8."
    assert document["boxes"][0]["answers"][1]["failure"]["final"] is False
    assert document["awaited"] == ["blip", "ollama"]


@pytest.mark.parametrize("damaged", [{}, {"votes": []}, {"votes": {"consensus": [1, {"why": "x"}]}, "special": [1]}])
def test_rows_that_were_written_by_hand_are_shown_as_far_as_they_make_sense(damaged: dict[str, object]) -> None:
    assert [vote.sentence for vote in votes_of(damaged, "consensus")] in ([], [""])
    assert special_of(damaged) == {}
    assert box_of(damaged, []).place is None
    assert said_of({"predictions": [1, {"label": 3}, {"text": "stop"}]}) == ("stop",)


def test_a_url_is_shown_without_its_password() -> None:
    url = "https://user:hunter22@images.example/1.jpg?token=abcdef123"
    image = ImageRecord(1, None, "1.jpg", None, url, None, None, None, IMAGE.image_created)
    shown = render_report_text(ImageReport(image, None, (), {}, None, (), (), (), ()))
    assert shown.startswith("https://images.example/1.jpg (image 1)\nno vote yet\n")
    whole = render_report_json(ImageReport(image, None, (), {}, None, (), (), (), ()))
    assert "hunter22" not in str(whole) + shown
    assert "abcdef123" not in str(whole) + shown


def test_names_that_are_alike_are_found_in_whichever_folder() -> None:
    places = ["/a/holiday1.jpg", "/a/xyz.png", "https://u:pw@h/holidays.jpg?size=2"]
    assert nearest_names("/somewhere/holiday.jpg", places) == ["https://h/holidays.jpg", "/a/holiday1.jpg"]
    assert nearest_names("/nothing/alike", places) == []


def test_a_path_is_looked_for_as_a_producer_may_have_written_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    places = places_of("1.jpg", tmp_path.parent)
    assert {"1.jpg", str(tmp_path / "1.jpg"), f"{tmp_path.name}/1.jpg", str(tmp_path.parent / "1.jpg")} <= set(places)
    assert places_of("https://h/1.jpg", tmp_path) == ["https://h/1.jpg"]
