"""The calibration as one document: its name, where it comes from, and the constants of both kernels."""

import json

import pytest

from windmill.core.settings import ROOT
from windmill.derive.calibration import load_calibration, parse_calibration
from windmill.kernels.boxes.box_calibration import BoxCalibration
from windmill.kernels.votes.vote_calibration import VoteCalibration

NAMED = {"version": "v1", "origin": "guessed"}


def test_omitted_constants_have_their_defaults() -> None:
    read = parse_calibration(NAMED)
    assert (read.boxes, read.votes) == (BoxCalibration(), VoteCalibration())


def test_the_shipped_calibration_survives_being_written() -> None:
    shipped = load_calibration(ROOT / "calibration.json")
    assert parse_calibration(json.loads(json.dumps(shipped.as_document()))) == shipped


@pytest.mark.parametrize(
    ("document", "complaint"),
    [
        ([], r"^it is \[\], and must be an object$"),
        ({}, "^version is missing; origin is missing$"),
        (NAMED | {"version": " "}, "^version is ' ', and must be text$"),
        (NAMED | {"vote": {}}, "^vote is {}, and is not a known key; did you mean 'votes'"),
        (
            NAMED | {"origin": 5, "boxes": {"size": 9}, "votes": {"prior": "low", "threshold": 2}},
            "^origin is 5.*; boxes.size is 9.*; votes.threshold is 2.*; votes.prior is 'low', and must be a number",
        ),
    ],
)
def test_all_problems_are_reported_at_once(document: object, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        parse_calibration(document)
