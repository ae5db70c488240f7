"""Weights are found from examples whose truth is known, and figures say how good a vote is."""

import random
from dataclasses import replace

import numpy as np
import pytest

from tests.unit.votes import CALIBRATION, box, caption, seen
from windmill.kernels.votes.evidence import log_odds
from windmill.kernels.votes.standings import parse_answers, standings
from windmill.kernels.votes.vote_calibration import VoteCalibration
from windmill.kernels.votes.vote_design import VoteExample, rows_of
from windmill.kernels.votes.vote_fitting import fit, listing, score
from windmill.kernels.votes.vote_scores import figures, judge_vote

EMOJIS = ("🐶", "🐱", "🍽", "⌚", "🧑")
DOG, NONE = frozenset({"🐶"}), frozenset[str]()


def examples(count: int, good: float, bad: float, seed: int = 0) -> list[VoteExample]:
    """What yolov8 says is true as often as `good`, and what blip says as often as `bad`."""
    dice = random.Random(seed)
    found = []
    for _ in range(count):
        emoji, other = dice.sample(EMOJIS, 2)
        truth = {one for one, chance in ((emoji, good), (other, bad)) if dice.random() < chance}
        found.append(VoteExample({"yolov8": seen(emoji, 0.6), "blip": caption(other)}, frozenset(truth)))
    return found


def test_without_examples_the_calibration_stays_as_it_is() -> None:
    assert fit([], CALIBRATION) is CALIBRATION
    assert fit([VoteExample({}, frozenset({"🐶"}))], CALIBRATION) is CALIBRATION


@pytest.mark.parametrize(("good", "bad"), [(0.9, 0.3), (0.3, 0.9)])
def test_the_more_often_a_service_is_right_the_likelier_its_word_becomes(good: float, bad: float) -> None:
    fitted = fit(examples(400, good, bad), CALIBRATION)
    chances, _ = listing(VoteExample({"yolov8": seen("🐶", 0.6), "blip": caption("🐱")}, frozenset()), fitted)
    assert (chances["🐶"], chances["🐱"]) == pytest.approx((good, bad), abs=0.08)


def test_fitting_makes_what_is_said_truer() -> None:
    known, others = examples(200, 0.95, 0.2), examples(200, 0.95, 0.2, seed=1)
    before, after = score(others, CALIBRATION), score(others, fit(known, CALIBRATION))
    assert after["Brier"] < before["Brier"]
    assert after["ECE"] < before["ECE"]
    assert after["F1"] >= before["F1"]


def test_few_examples_move_little_and_many_move_more() -> None:
    few, many = (fit(examples(count, 0.99, 0.01), CALIBRATION).of("blip").voice for count in (2, 300))
    before = CALIBRATION.of("blip").voice
    assert abs(few - before) < 0.5 < abs(many - before)


def test_no_weight_that_would_break_a_promise_is_ever_fitted() -> None:
    contrary = [
        VoteExample({"yolov8": seen("🐶", confidence), "blip": caption("🐱")}, truth)
        for confidence, truth in ((0.1, DOG), (0.3, DOG), (0.7, NONE), (0.9, NONE))
        for _ in range(50)
    ]
    fitted = fit(contrary, CALIBRATION)
    assert fitted.of("yolov8").slope == 0
    assert VoteCalibration.from_document(fitted.as_document()) == fitted
    for service in fitted.services.values():
        assert min(service.slope, service.again, service.silence, service.confirms) >= 0


def test_a_silence_that_meant_nothing_yet_is_learnt() -> None:
    known = [
        VoteExample({"blip": caption("🐶"), "ollama": caption(*["🐶"] * heard)}, DOG if heard else NONE)
        for heard in (0, 1)
        for _ in range(50)
    ]
    assert CALIBRATION.of("ollama").silence == 0
    assert fit(known, CALIBRATION).of("ollama").silence > 0.5


def test_confidences_on_different_scales_are_compared_with_the_surest_of_the_image() -> None:
    """Half of the images state low confidences and half high ones; the surer of two labels is right in both."""
    known = [
        VoteExample(
            {"clip": {"predictions": [*seen(right, high)["predictions"], *seen(wrong, low)["predictions"]]}}, DOG
        )
        for high, low in ((0.1, 0.03), (0.97, 0.9))
        for right, wrong in (("🐶", "🐱"), ("🐶", "⌚"))
        for _ in range(50)
    ]
    fitted = fit(known, CALIBRATION)
    assert fitted.of("clip").lag > CALIBRATION.of("clip").lag + 0.5
    for example in known:
        chances = listing(example, fitted)[0]
        assert chances["🐶"] > 0.5 > max(chances.get("🐱", 0), chances.get("⌚", 0))


def test_what_is_fitted_is_what_is_voted_with() -> None:
    """The rows of the fit come to the same log-odds as the vote."""
    services = {**CALIBRATION.services, "yolov8": replace(CALIBRATION.of("yolov8"), lag=0.2)}
    calibration = replace(CALIBRATION, commoner={"🧑": 0.7}, services=services)
    face = {"predictions": [{"label": "face", "confidence": 0.9}]}
    said = ("🧑", 0.7), ("🧑", 0.2), ("🐱", 0.4)
    example = VoteExample(
        {
            "yolov8": {"predictions": [{"emoji": one, "confidence": value} for one, value in said]},
            "rtdetr": seen("🐶", 0.3), "blip": caption("🧑"), "face": face, "detectron2": seen("🐱", 0.01),
            "new": seen("🐶"),
        },
        frozenset({"🧑"}),
        [box("🧑", confidence=0.8), box("🐶", "other", 0.1)],
    )  # fmt: skip
    rows = rows_of([example], calibration)
    weights = np.array([_weight(calibration, *name) for name in rows.weights])
    families = [calibration.family(name) for name in rows.families]
    found = rows.givens @ weights
    found += rows.said.sums(weights, np.array([one.share for one in families]), len(rows))
    found -= rows.unsaid.sums(weights, np.array([one.silent_share for one in families]), len(rows))
    heard = parse_answers(example.answers, calibration, boxes=example.boxes)
    judged = [one for one in standings(heard, calibration)[0] if one.emoji != "🙂"]
    assert found.tolist() == pytest.approx([log_odds(one, calibration) for one in judged])
    assert rows.true.tolist() == [one.emoji == "🧑" for one in judged]


def test_what_no_label_says_is_not_taken_for_false() -> None:
    face = {"predictions": [{"label": "face", "confidence": 0.9}]}
    known = [VoteExample({"yolov8": seen("🐶"), "face": face}, DOG) for _ in range(50)]
    assert fit(known, CALIBRATION).of("face") == CALIBRATION.of("face")


def _weight(calibration: VoteCalibration, owner: str, what: str) -> float:
    if what in ("prior", "commoner"):
        return calibration.prior if what == "prior" else calibration.commoner[owner]
    return float(getattr(calibration.boxes if owner == "boxes" else calibration.of(owner), what))


def test_figures_of_a_perfect_vote_are_perfect() -> None:
    assert figures([judge_vote({"🐶": 1.0, "🐱": 0.0}, {"🐶"}, {"🐶"})]) == pytest.approx(
        {"precision": 1, "recall": 1, "F1": 1, "AP": 1, "ECE": 0, "Brier": 0}
    )


def test_figures_of_nothing_are_nothing() -> None:
    assert set(figures([]).values()) == {0.0}


def test_figures_add_up() -> None:
    """Two of three listed are true, of four that are true one is not listed and one unnamed."""
    one = judge_vote({"🐶": 0.9, "🐱": 0.8, "🧢": 0.2}, {"🐶", "🐱"}, {"🐶", "🧢", "🚀"})
    other = judge_vote({"🐻": 0.7}, {"🐻"}, {"🐻"})
    found = figures([one, other])
    assert (found["precision"], found["recall"]) == (2 / 3, 2 / 4)
    assert found["AP"] == pytest.approx((1 / 1 + 2 / 3 + 3 / 4) / 4)
    assert found["Brier"] == pytest.approx((0.01 + 0.64 + 0.64 + 0.09) / 4)
    assert found["ECE"] == pytest.approx((0.1 + 0.8 + 0.8 + 0.3) / 4)


def test_equal_chances_are_one_step_whatever_their_order() -> None:
    ranked = [judge_vote({"🐶": 0.5, "🐱": 0.5}, (), {truth}) for truth in ("🐶", "🐱")]
    assert figures(ranked[:1])["AP"] == figures(ranked[1:])["AP"] == 0.5


def test_truth_is_compared_as_groups_and_without_what_only_specialists_name() -> None:
    judged = judge_vote({"🧑": 0.9, "⌚": 0.9, "💬": 0.9}, {"🧑", "⌚", "💬"}, {"👩", "⌚️", "🙂"})
    assert judged.true == (True, True)
    assert judged.unnamed == 0
