"""How evidence adds up: families, silence, confidences, boxes."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from tests.unit.votes import CALIBRATION
from windmill.kernels.votes.ballots import Ballot, logit
from windmill.kernels.votes.evidence import Standing, combine, listing_threshold, log_odds, probability
from windmill.kernels.votes.specialist_findings import SpecialistFinding
from windmill.kernels.votes.vote_calibration import VoteCalibration


def standing(yes: Mapping[str, float | None], emoji: str = "🐶", **more: Any) -> Standing:  # noqa: ANN401
    said = {service: Ballot(confidence, "dog", {emoji: 1}) for service, confidence in yes.items()}
    return Standing(emoji, said, **more)


@pytest.mark.parametrize(
    ("weights", "share", "sum_"),
    [([], 0.5, 0), ([2], 0.5, 2), ([1, 2], 0.5, 2.5), ([2, 1, 1], 0, 2), ([2, 1, 1], 1, 4)],
)
def test_the_strongest_counts_whole_and_the_others_a_share(weights: list[float], share: float, sum_: float) -> None:
    assert combine(weights, share) == sum_


@pytest.mark.parametrize(
    ("said", "silent", "expected"),
    [
        ({}, (), -2),
        ({"blip": None}, (), 0),
        ({"yolov8": 0.5}, (), -0.5),
        ({"yolov8": 0.5, "rtdetr": 0.5}, (), -0.05),  # of one family
        ({"yolov8": 0.5, "blip": None}, (), 1.5),  # of two
        ({"blip": None}, ("clip",), -0.3),
        ({"blip": None}, ("yolov8", "rtdetr"), -1.7),
        ({"a_new_one": 0.5}, (), -0.5),
    ],
)
def test_log_odds_add_up_over_families(said: dict[str, float | None], silent: tuple[str, ...], expected: float) -> None:
    assert log_odds(standing(said, silent=silent), CALIBRATION) == pytest.approx(expected)


def test_families_count_for_more_than_numbers() -> None:
    alike = standing({"yolov8": 0.8, "rtdetr": 0.8, "detectron2": 0.8})
    different = standing({"yolov8": 0.8, "blip": None})
    assert probability(different, CALIBRATION) > probability(alike, CALIBRATION)


def test_a_surer_voice_weighs_more_but_even_the_least_sure_weighs_nothing_against() -> None:
    chances = [probability(standing({"yolov8": value}), CALIBRATION) for value in (0.0, 0.001, 0.3, 0.6, 0.99, 1.0)]
    assert chances == sorted(chances)
    assert chances[0] == probability(standing({}), CALIBRATION)
    assert chances[2] < chances[3] < chances[4] == chances[5]


def test_what_is_far_behind_the_surest_of_its_service_weighs_less_but_never_against() -> None:
    said = [Standing("🐶", {"clip": Ballot(0.3, "dog", {}, behind=behind)}) for behind in (0.0, 1.0, 50.0)]
    first, second, last = (log_odds(one, CALIBRATION) for one in said)
    assert second == pytest.approx(first - CALIBRATION.of("clip").lag)
    assert last == log_odds(standing({}), CALIBRATION)


def test_what_was_seen_again_is_likelier() -> None:
    once, often = (Standing("🐶", {"yolov8": Ballot(0.5, "dog", {}, count=count)}) for count in (1, 3))
    assert probability(often, CALIBRATION) > probability(once, CALIBRATION)


def test_what_images_often_show_is_likelier() -> None:
    calibration = replace(CALIBRATION, commoner={"🐶": 1.0})
    assert log_odds(standing({}), calibration) == log_odds(standing({}), CALIBRATION) + 1


def test_who_names_and_finds_a_person_counts_once_by_the_stronger() -> None:
    face = {"face": SpecialistFinding(0.9, 1)}
    named = {"face": Ballot(0.02, "person", {})}
    assert log_odds(Standing("🧑", {}, face), CALIBRATION) == log_odds(Standing("🧑", named, face), CALIBRATION)


@pytest.mark.parametrize(
    ("said", "silent", "threshold"),
    [
        ({"blip": None}, (), 0.4),
        ({"blip": None}, ("ollama",), 0.4),
        ({"blip": None}, ("clip",), 0.5),
        ({"blip": None, "clip": 0.3}, ("ollama",), 0.4),
    ],
)
def test_the_silence_of_another_kind_raises_what_is_needed(
    said: dict[str, float | None], silent: tuple[str, ...], threshold: float
) -> None:
    assert listing_threshold(standing(said, silent=silent), CALIBRATION) == threshold


@pytest.mark.parametrize("confidence", [-1e300, 0.0, 1.0, 1e300])
def test_no_confidence_is_taken_for_certain(confidence: float) -> None:
    assert abs(logit(confidence)) < 5


def test_an_unstated_confidence_is_neither_high_nor_low() -> None:
    assert logit(None) == logit(0.5) == 0


def test_a_calibration_without_entries_still_votes() -> None:
    calibration = VoteCalibration()
    assert probability(standing({"yolov8": 0.9, "blip": 0.9}), calibration) > 0.5
