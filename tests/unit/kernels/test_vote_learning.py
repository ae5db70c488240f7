"""What votes are worth, out of answers without any truth: the other kinds of service judge what boxes show."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest

from tests.unit.votes import CALIBRATION, box, caption, seen
from windmill.kernels.votes.vote_calibration import TypicalFleet, VoteCalibration
from windmill.kernels.votes.vote_design import VoteExample
from windmill.kernels.votes.vote_fitting import fit
from windmill.kernels.votes.vote_learning import FEWEST_SHOWN, LearntVotes, VoteHistory, VoteLook

EMOJIS = ("🐶", "🐱", "🍽", "⌚", "🧑")


def images(
    count: int,
    right: float,
    *,
    others: float = 0.9,
    weak: int = 0,
    services: Sequence[str] = ("blip", "clip"),
    seed: int = 0,
) -> Iterator[VoteExample]:
    """Images of two things. A box shows each, and as often as not `right` something else; the other services name each
    thing as often as `others`. `weak` more boxes a picture show nothing that is there."""
    dice = random.Random(seed)
    for _ in range(count):
        *things, _, _, wrong = dice.sample(EMOJIS, len(EMOJIS))
        shown = {thing if dice.random() < right else wrong: dice.uniform(0.3, 0.95) for thing in things}
        named = [thing for thing in things if dice.random() < others]
        nothing = {emoji: 0.3 for emoji in dice.sample(["🚗", "🍕", "🌳", "🎸", "⚽", "🐴"], weak)}
        boxes = [box(emoji, f"box_{place}", sure) for place, (emoji, sure) in enumerate((nothing | shown).items())]
        answers = {"yolov8": {"predictions": [one for emoji in shown for one in seen(emoji)["predictions"]]}}
        if "blip" in services:
            answers["blip"] = caption(*named)
        if "clip" in services:
            answers["clip"] = {"predictions": [one for thing in named for one in seen(thing, 0.7)["predictions"]]}
        yield VoteExample(answers, frozenset(), boxes)


def learnt(examples: Iterator[VoteExample], start: VoteCalibration) -> LearntVotes:
    history = VoteHistory(start)
    for example in examples:
        history.add(example)
    return history.learn()


def look(examples: Iterator[VoteExample]) -> VoteLook:
    return learnt(examples, CALIBRATION).look


@pytest.fixture(scope="module")
def start() -> VoteCalibration:
    """Weights that suit a fleet whose boxes are right four times out of five."""
    typical = look(images(400, 0.8)).fleet
    assert typical is not None
    return replace(CALIBRATION, typical=typical)


def weight(calibration: VoteCalibration) -> float:
    """Of a box with a confidence of .6."""
    return calibration.boxes.voice + calibration.boxes.slope * 0.4


def test_boxes_that_others_confirm_weigh_more_and_others_less(start: VoteCalibration) -> None:
    better, worse = (learnt(images(400, right, seed=1), start) for right in (0.97, 0.5))
    assert (better.kept, worse.kept) == ("", "")
    assert weight(worse.calibration) < weight(start) - 0.2
    assert weight(better.calibration) > weight(start) + 0.1


def test_a_fleet_like_the_typical_one_changes_little(start: VoteCalibration) -> None:
    found = learnt(images(400, 0.8, seed=2), start).calibration
    assert weight(found) == pytest.approx(weight(start), abs=0.2)
    assert found.prior == start.prior


def test_detectors_are_not_asked_about_their_own_boxes(start: VoteCalibration) -> None:
    """However many of them make the same mistakes, their boxes are trusted no more for it."""
    agreeing = [
        replace(one, answers={**one.answers, **dict.fromkeys(("rtdetr", "detectron2"), one.answers["yolov8"])})
        for one in images(400, 0.6, seed=3)
    ]
    assert weight(learnt(iter(agreeing), start).calibration) <= weight(start)
    assert weight(learnt(images(400, 0.6, seed=3), start).calibration) < weight(start)


def test_a_fleet_that_names_much_that_is_not_there_has_less_likely_emojis(start: VoteCalibration) -> None:
    found = learnt(images(400, 0.8, weak=6, seed=4), start)
    assert found.calibration.prior < start.prior - 0.3
    sure = learnt(images(400, 1.0, others=1.0, seed=4), start)
    assert sure.calibration.prior == start.prior, "that all agree proves nothing"


@pytest.mark.parametrize(
    ("examples", "reason"),
    [
        (images(FEWEST_SHOWN // 2 - 20, 0.8), "fewer than"),
        (images(400, 0.8, services=()), "cannot judge"),
        (images(0, 0.8), "fewer than"),
    ],
    ids=["few images", "only detectors", "no image"],
)
def test_where_nobody_can_tell_nothing_changes(
    examples: Iterator[VoteExample], reason: str, start: VoteCalibration
) -> None:
    found = learnt(examples, start)
    assert found.calibration is start
    assert reason in found.kept
    assert found.look.fleet is None


def test_boxes_that_all_weigh_the_same_teach_nothing(start: VoteCalibration) -> None:
    same = [replace(one, boxes=[{**box, "confidence": 0.6} for box in one.boxes]) for one in images(400, 0.5)]  # type: ignore[dict-item]
    assert learnt(iter(same), start).calibration is start


def test_only_weights_of_which_it_is_known_what_they_see_are_learnt_from(start: VoteCalibration) -> None:
    for known in (CALIBRATION, learnt(images(400, 0.5), start).calibration, fit(list(images(30, 0.8)), start)):
        found = learnt(images(400, 0.5), known)
        assert (found.calibration, "not those" in found.kept) == (known, True)


def test_no_history_moves_weights_far_or_below_what_a_file_may_say(start: VoteCalibration) -> None:
    for typical in (TypicalFleet(20, 20, 20), TypicalFleet(-20, -20, -20)):
        found = learnt(images(400, 0.5), replace(start, typical=typical)).calibration
        assert abs(found.boxes.voice - start.boxes.voice) <= 2 + 0.5 * start.boxes.voice
        assert VoteCalibration.from_document(found.as_document()) == found


def test_the_order_of_images_does_not_matter(start: VoteCalibration) -> None:
    some = list(images(300, 0.6, weak=2))
    forwards, backwards = (learnt(iter(order), start).calibration for order in (some, some[::-1]))
    assert forwards.boxes.voice == pytest.approx(backwards.boxes.voice, abs=0.01)
    assert forwards.prior == pytest.approx(backwards.prior, abs=0.002)
