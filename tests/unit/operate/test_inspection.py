"""An image for those who want to see why: boxes with their members, votes with every position, answers, previews."""

from datetime import UTC, datetime
from typing import Any

import pytest

from windmill.derive.calibration import Calibration
from windmill.derive.source_results import SourceResult, SourceResults
from windmill.kernels.boxes.box_calibration import BoxCalibration
from windmill.kernels.boxes.box_identity import KnownBox
from windmill.kernels.votes.vote_calibration import VoteCalibration
from windmill.kernels.votes.voting import CropAnswer
from windmill.operate.inspection.answers import InspectedAnswer, colours_of, inspected_answer, summary_of
from windmill.operate.inspection.boxes import Place, inspected_box, overlap, source_boxes
from windmill.operate.inspection.findings import box_finding
from windmill.operate.inspection.preview import StoredInputs, preview_without
from windmill.operate.inspection.votes import VoteChange, VoteTable, compare_votes, vote_table
from windmill.operate.runs.reading import KnownAnswer
from windmill.operate.show.image_report import failure_of

NOW = datetime(2026, 11, 28, tzinfo=UTC)
CALIBRATION = Calibration("test", "nowhere", BoxCalibration(), VoteCalibration())


def detected(label: str, confidence: float, x: float) -> dict[str, Any]:
    return {"label": label, "confidence": confidence, "bbox": {"x": x, "y": 0, "width": 10, "height": 10}}


REPLIES = {
    "yolov8": {"predictions": [detected("dog", 0.9, 0), detected("dog", 0.6, 50)]},
    "rtdetr": {"predictions": [detected("dog", 0.8, 1), {"label": "cat", "confidence": 0.5}]},
}
MERGED = {
    "label": "dog",
    "emoji": "🐕",
    "confidence": 0.95,
    "merged_bbox": {"x": 0, "y": 0, "width": 10, "height": 10},
    "detections": [{"service": "rtdetr", "confidence": 0.8}, {"service": "yolov8", "confidence": 0.9}],
    "contributing_services": ["rtdetr", "yolov8"],
    "silent_services": ["detectron2"],
    "rivals": [{"label": "cat", "emoji": "🐈", "probability": 0.1, "services": ["detectron2"]}],
}


def test_boxes_of_detectors_are_those_that_can_be_merged_the_surest_first() -> None:
    found = source_boxes(REPLIES, (100, 100))
    assert [(one.service, one.label, one.confidence) for one in found] == [
        ("yolov8", "dog", 0.9),
        ("rtdetr", "dog", 0.8),
        ("yolov8", "dog", 0.6),
    ]
    assert found[1].place == Place(1, 0, 10, 10)


def test_a_merged_box_tells_how_far_each_member_agrees_with_it_who_was_silent_and_what_else_it_may_be() -> None:
    box = inspected_box("k", MERGED, source_boxes(REPLIES, None))
    assert box is not None
    assert [(one.service, one.confidence, one.iou) for one in box.members] == [
        ("yolov8", 0.9, 1.0),
        ("rtdetr", 0.8, 0.82),
    ]
    assert (box.silent, box.rivals[0].label, box.rivals[0].services) == (("detectron2",), "cat", ("detectron2",))


def test_a_member_whose_answer_has_gone_has_no_overlap_and_a_box_without_a_place_is_none() -> None:
    box = inspected_box("k", MERGED, ())
    assert box is not None
    assert {one.iou for one in box.members} == {None}
    assert inspected_box("k", {"label": "dog"}, ()) is None


@pytest.mark.parametrize(
    ("other", "share"), [(Place(0, 0, 10, 10), 1.0), (Place(5, 0, 10, 10), 1 / 3), (Place(20, 0, 1, 1), 0)]
)
def test_overlap_is_intersection_over_union(other: Place, share: float) -> None:
    assert overlap(Place(0, 0, 10, 10), other) == pytest.approx(share)


ITEM = {
    "emoji": "🐕",
    "probability": 0.9,
    "said_yes": [{"service": "clip", "confidence": 0.7, "word": "dog"}, {"service": "blip", "word": "puppy"},
                 {"service": "yolov8", "word": "dog"}],
    "confirmed_by": [{"service": "pose", "confidence": 0.5}],
    "silent": ["rtdetr"],
    "could_not_know": ["face"],
    "awaiting": ["ollama"],
    "failed": [{"service": "ocr", "code": "IMAGE_TOO_LARGE"}],
    "why": {"sentence": "Said by clip."},
}  # fmt: skip
RUNNER_UP = {
    "emoji": "🐈",
    "probability": 0.2,
    "said_yes": [{"service": "rtdetr", "confidence": 0.4, "word": "cat"}],
    "missing": {"probability": 0.45, "could_still_say": ["ollama"]},
}
DOCUMENT = {"votes": {"consensus": [ITEM], "runners_up": [RUNNER_UP]}}


def test_a_row_of_votes_has_the_position_of_every_service_in_the_order_of_the_columns() -> None:
    table = vote_table(DOCUMENT)
    assert table.services == ("blip", "clip", "face", "ocr", "ollama", "pose", "rtdetr", "yolov8")
    dog, cat = table.votes
    assert [one.position for one in dog.positions] == [
        "yes", "yes", "could_not_know", "failed", "awaited", "confirmed", "silent", "yes",
    ]  # fmt: skip
    assert dog.positions[1].told == "clip: said yes (dog 0.70)"
    assert dog.positions[3].told == "ocr: failed (IMAGE_TOO_LARGE)"
    assert (dog.name, dog.sentence, dog.listed) == ("dog", "Said by clip.", True)
    assert cat.positions[0].told == "blip: was not asked"
    assert cat.lacking == "It is listed from 0.45 on. ollama may still say it."
    assert (table.listed, table.others) == ((dog,), (cat,))


@pytest.mark.parametrize("document", [{}, {"votes": 3}, {"votes": {"consensus": ["x", {"said_yes": "y"}]}}])
def test_a_vote_that_somebody_has_written_by_hand_is_shown_as_far_as_it_makes_sense(document: dict[str, Any]) -> None:
    assert vote_table(document).services == ()


def test_votes_are_compared_with_those_first_that_come_or_go() -> None:
    after = vote_table({"votes": {"consensus": [RUNNER_UP], "runners_up": [{**ITEM, "probability": 0.3}]}})
    changes = compare_votes(vote_table(DOCUMENT), after)
    assert [(one.name, one.before, one.after, one.word) for one in changes] == [
        ("dog", 0.9, 0.3, "goes"),
        ("cat", 0.2, 0.2, "appears"),
    ]
    assert compare_votes(VoteTable((), ()), VoteTable((), ())) == []


@pytest.mark.parametrize(("after", "word"), [(0.9, "stays"), (0.95, "rises"), (None, "falls")])
def test_the_word_of_a_change(after: float | None, word: str) -> None:
    assert VoteChange("🐕", "dog", 0.9, after, listed_before=False, listed_after=False).word == word


def answer(data: Any, code: str | None = None) -> InspectedAnswer:  # noqa: ANN401 - any JSON
    return inspected_answer(KnownAnswer("clip", data, code, "it has 9 MB" if code else None, None, 1, 0.2, NOW, NOW))


def test_an_answer_tells_its_words_each_with_how_often_and_whether_a_stand_in_spoke() -> None:
    said = answer(
        {
            "predictions": [{"label": "dog"}, {"label": "cat"}, {"label": "dog"}],
            "metadata": {"model_info": {"framework": "windmill-farm"}},
        }
    )
    assert (said.said, said.state, said.stand_in, said.cut) == ("dog \u00d72, cat", "answered", True, False)
    assert not answer({"predictions": []}).stand_in


def test_a_failed_answer_has_its_code_with_the_remedy_and_a_long_one_is_cut() -> None:
    failed = answer(None, "IMAGE_TOO_LARGE")
    assert failed.failure
    assert (failed.said, failed.state, bool(failed.failure.remedy)) == ("IMAGE_TOO_LARGE", "failed", True)
    long = answer({"text": "x" * 10_000})
    assert (long.cut, len(long.raw)) == (True, 6_000)


@pytest.mark.parametrize(
    ("predictions", "words"),
    [([], "nothing"), ([{}], "1 finding"), ([{}, {}], "2 findings"), (None, "nothing")],
)
def test_an_answer_without_words_says_how_much_there_is(predictions: object, words: str) -> None:
    assert summary_of({"predictions": predictions}) == words


PALETTE = {"predictions": [{"palette": {"colors": [{"copic": "Red (R29)", "hex": "#b8432f"}, {"hex": "url(x)"}]}}]}


def test_colours_have_a_name_and_only_what_is_a_colour_is_drawn() -> None:
    assert colours_of(PALETTE) == (("Red", "#b8432f"),)
    assert box_finding("colors", PALETTE, None).said == "Red"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"predictions": [{"label": "face", "confidence": 0.97}]}, "1 face, .97"),
        ({"predictions": [{"landmarks": {"nose": {"visibility": 0.5}}}] * 2}, "2 bodies, .50"),
        ({"predictions": []}, "nothing"),
    ],
)
def test_findings_in_a_crop_are_told_in_words(data: dict[str, Any], said: str) -> None:
    assert box_finding("any", data, None).said == said


def test_a_finding_that_failed_says_why() -> None:
    assert box_finding("face", {}, failure_of("SERVICE_ERROR", "500")).said == "SERVICE_ERROR"


def results(*rows: tuple[str, dict[str, Any]]) -> SourceResults:
    found = [SourceResult(service, number, None, reply, 0.1, NOW) for number, (service, reply) in enumerate(rows)]
    return SourceResults(found, ["ollama"])


def test_a_preview_merges_and_votes_without_a_service_and_keeps_the_keys_of_boxes() -> None:
    sources = results(*REPLIES.items())
    crops = [CropAnswer("known", "face", "success", {"predictions": []})]
    inputs = StoredInputs(sources, sources, (100, 100), [KnownBox("known", "dog", (1, 0, 10, 10))], crops)
    preview = preview_without(inputs, ["yolov8", "ollama"], CALIBRATION)
    assert list(preview.boxes) == ["known"]
    assert preview.boxes["known"]["contributing_services"] == ["rtdetr"]
    assert preview.vote["services_list"] == ["rtdetr"]
    assert preview.vote["awaiting_services"] == []
    assert len(sources.rows) == 2
