"""What is known of services beforehand is a document, and what is wrong in it is told."""

import json
import re
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given

from tests.unit.hostile_replies import any_json, steady
from tests.unit.votes import CALIBRATION
from windmill.core.settings import ROOT
from windmill.kernels.votes.evidence import strength
from windmill.kernels.votes.vote_calibration import VoteCalibration


def test_a_document_of_a_calibration_is_read_as_the_same() -> None:
    document = json.loads(json.dumps(CALIBRATION.as_document()))
    assert VoteCalibration.from_document(document) == CALIBRATION


def test_what_is_left_out_has_its_default_and_notes_are_for_people() -> None:
    assert VoteCalibration.from_document({}) == VoteCalibration()
    assert VoteCalibration.from_document({"notes": "for people"}) == VoteCalibration()


def test_the_shipped_calibration_knows_the_thirteen_services() -> None:
    document = json.loads((ROOT / "calibration.json").read_text(encoding="utf-8"))
    fleet = json.loads((ROOT / "service_config.json").read_text(encoding="utf-8"))
    calibration = VoteCalibration.from_document(document["votes"])
    assert len(calibration.services) >= 13
    assert set(calibration.services) <= set(fleet["services"])
    shown = {name: calibration.display(name) for name in fleet["services"] if calibration.display(name) != name}
    assert shown == {"inception_v3": "inception", "nsfw2": "nsfw", "ollama": "llama", "yolov8": "yolo"}


def test_the_shipped_weights_tell_a_weak_box_from_a_sure_one_and_know_no_difference_between_detectors() -> None:
    document = json.loads((ROOT / "calibration.json").read_text(encoding="utf-8"))
    calibration = VoteCalibration.from_document(document["votes"])
    weak, sure = (strength(calibration.boxes, confidence, 1) for confidence in (0.05, 0.95))
    assert sure > weak + 1
    assert len({replace(calibration.of(name), display=None) for name in ("detectron2", "rtdetr", "yolov8")}) == 1


@pytest.mark.parametrize(
    ("document", "complaint"),
    [
        ([], "votes is [], and must be an object"),
        ({"threshold": 1.5}, "votes.threshold is 1.5, and must be a number from 0 to 1"),
        ({"threshold": True}, "votes.threshold is True"),
        ({"prior": float("nan")}, "votes.prior is nan"),
        ({"prior": "low"}, "votes.prior is 'low'"),
        ({"thresold": 0.5}, "votes.thresold is 0.5, and is not a known key; did you mean 'threshold'?"),
        ({"labels": {"dog": "woof"}}, "votes.labels.dog is 'woof', and must be an emoji"),
        ({"vocabularies": {"coco": "🐶"}}, "votes.vocabularies.coco is '🐶', and must be a list of emojis"),
        ({"vocabularies": {"coco": [7]}}, "votes.vocabularies.coco[0] is 7, and must be an emoji"),
        ({"commoner": {"dog": 1}}, "votes.commoner is 'dog', and must be an emoji"),
        ({"families": {"detectors": {"share": 2}}}, "votes.families.detectors.share is 2"),
        ({"services": {"clip": {"evidence": "gut"}}}, "services.clip.evidence is 'gut', and must be one of spatial"),
        ({"services": {"clip": {"role": "text "}}}, "services.clip.role is 'text ', and must be one of null, text"),
        ({"services": {"clip": {"slope": -1}}}, "votes.services.clip.slope is -1"),
        ({"services": {"clip": {"display": " "}}}, "votes.services.clip.display is ' ', and must be text"),
        ({"services": {"clip": {"vocabulary": "coco"}}}, "services.clip.vocabulary is 'coco', and must be one of any"),
        ({"services": {"clip": []}}, "votes.services.clip is [], and must be an object"),
        ({"boxes": {"voice": None}}, "votes.boxes.voice is None"),
    ],
)  # fmt: skip
def test_a_wrong_value_is_named_with_its_key(document: Any, complaint: str) -> None:  # noqa: ANN401
    with pytest.raises(ValueError, match=re.escape(complaint)):
        VoteCalibration.from_document(document)


@steady
@given(any_json)
def test_any_document_is_a_calibration_or_a_complaint(document: Any) -> None:  # noqa: ANN401
    for key in ("services", "vocabularies", "labels"):
        with suppress(ValueError):
            assert VoteCalibration.from_document({key: document}).threshold == 0.5


@pytest.mark.parametrize(
    ("service", "emoji", "could"),
    [
        ("yolov8", "🐶", True),
        ("yolov8", "🚀", False),
        ("yolov8", "🍽", True),
        ("blip", "🚀", True),
        ("blip", "🙂", False),
        ("face", "🙂", True),
        ("face", "🧑", False),
        ("a_new_one", "🐶", False),
    ],
)
def test_a_service_is_silent_only_on_what_it_could_have_said(service: str, emoji: str, could: bool) -> None:
    assert CALIBRATION.could_say(service, emoji) is could
