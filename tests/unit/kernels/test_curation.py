"""The weights of the first version, and what one emoji says about another."""

import pytest

from tests.unit.votes import CALIBRATION, SERVICES
from windmill.kernels.votes.ballots import Ballot
from windmill.kernels.votes.curation import evidence_of, instances_of, notes_on, weight_of
from windmill.kernels.votes.evidence import Standing
from windmill.kernels.votes.merged_boxes import SeenBox
from windmill.kernels.votes.specialist_findings import SpecialistFinding
from windmill.kernels.votes.standings import parse_answers


def standing(*services: str, emoji: str = "🐶", boxes: tuple[SeenBox, ...] = ()) -> Standing:
    return Standing(emoji, {service: Ballot(0.5, "dog", {emoji: 1}) for service in services}, boxes=boxes)


def seen_by(count: int) -> SeenBox:
    return SeenBox("key", "dog", "🐶", {}, 0.5, count, (), {})


@pytest.mark.parametrize(
    ("services", "counts", "notes", "weight"),
    [
        (("yolov8",), (), (), 1),
        (("blip", "ollama", "clip", "a_new_one", "yolov8"), (), (), 7),
        (("blip",), (), (), 1),
        (("blip", "clip"), (), (), 3),
        (("yolov8", "rtdetr"), (2, 1), (), 3),
        (("yolov8", "rtdetr", "detectron2"), (3,), (), 5),
        (("yolov8",), (), ("face_confirmed", "pose_confirmed"), 3),
        (("nsfw2",), (), ("suspicious_no_humans",), 0),
        ((), (1,), ("suspicious_no_humans",), 0),
    ],
)
def test_weights_are_votes_and_boxes_and_agreement_and_notes(
    services: tuple[str, ...], counts: tuple[int, ...], notes: tuple[str, ...], weight: int
) -> None:
    one = standing(*services, boxes=tuple(map(seen_by, counts)))
    assert weight_of(one, notes, CALIBRATION) == weight


@pytest.mark.parametrize(
    ("emoji", "listed", "notes"),
    [("🔞", {"🧑"}, ["human_context_confirmed"]), ("🔞", {"🐶"}, ["suspicious_no_humans"]), ("🐶", {"🧑"}, [])],
)
def test_nakedness_is_judged_by_whether_there_is_somebody(emoji: str, listed: set[str], notes: list[str]) -> None:
    assert notes_on(standing("nsfw2", emoji=emoji), listed, CALIBRATION) == notes


def test_faces_and_bodies_are_noted_for_persons() -> None:
    found = {"pose": SpecialistFinding(0.9, 1), "face": SpecialistFinding(0.9, 1)}
    assert notes_on(Standing("🧑", {}, found), (), CALIBRATION) == ["face_confirmed", "pose_confirmed"]


def test_many_boxes_are_all_counted_and_not_all_written_out() -> None:
    found = instances_of(standing("yolov8", boxes=(seen_by(1),) * 250), parse_answers({}, CALIBRATION))
    assert found["count"] == 250
    assert len(found["bounding_boxes"]) == 100


def test_every_voice_is_evidence_of_its_kind() -> None:
    evidence = evidence_of(standing(*SERVICES), CALIBRATION)
    assert evidence["spatial"]["sources"] == ["detectron2", "rtdetr", "yolo"]
    assert evidence["semantic"]["sources"] == ["blip", "llama"]
    assert evidence["classification"]["sources"] == ["clip"]
    assert evidence["specialized"] == ["face", "nsfw", "ocr", "pose"]
    assert evidence_of(standing("a_new_one"), CALIBRATION) == {
        "spatial": None, "semantic": None, "classification": None, "specialized": None,
    }  # fmt: skip
