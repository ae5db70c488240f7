"""What learning without labels makes of the vote, on drawn scenes: python -m bench.accuracy.learnt_votes

First how F1, calibration error and log loss change on fleets drawn at random, learnt from the first half of the scenes
of each and judged on the second; then the same with detectors that name weak boxes anywhere; then each of the other
fleets, before and after, learnt from scenes of their own. --typical 100,101,102,103 writes what is compared with anew,
into calibration.json.
"""

import argparse
import json
import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from bench.accuracy.fleets import DETECTORS, FIRST_SEED_FOR_FITTING, FLEETS, all_answers
from bench.accuracy.random_fleets import FLEETS_OF_A_SEED, random_fleet
from bench.accuracy.scenes import Answered
from bench.accuracy.votes import vote_examples
from dev.farm.answers.dice import Prediction, dice
from dev.farm.coco import LABELS
from dev.farm.emojis import singular
from windmill.kernels.boxes.box_calibration import BoxCalibration
from windmill.kernels.boxes.box_learning import learn
from windmill.kernels.votes.vote_calibration import TypicalFleet, VoteCalibration
from windmill.kernels.votes.vote_design import VoteExample
from windmill.kernels.votes.vote_fitting import listing
from windmill.kernels.votes.vote_learning import VoteHistory, VoteLook
from windmill.kernels.votes.vote_scores import figures, judge_vote

_FILE = Path("calibration.json")
_SEEDS = (110, 111)
_HISTORY_SEED, _HISTORY_COUNT, _SEED, _COUNT, _COUNT_OF_DRAWN, _COUNT_OF_TYPICAL = 50, 150, 1, 200, 120, 60

Constants = tuple[BoxCalibration, VoteCalibration]
Scores = tuple[float, float, float]


def learnt(history: Sequence[Answered], start: Constants) -> Constants:
    """What `windmill learn` makes of these answers; the scenes' truth is not looked at."""
    boxes = learn([{name: one.answers[name] for name in DETECTORS} for one in history], start[0]).calibration
    votes = VoteHistory(start[1])
    for example in vote_examples(history, boxes):
        votes.add(VoteExample(example.answers, frozenset(), example.boxes))
    return boxes, votes.learn().calibration


def scores(scenes: Iterable[Answered], known: Constants) -> Scores:
    """F1, expected calibration error, and log loss."""
    boxes, votes = known
    examples = vote_examples(scenes, boxes)
    judged = [judge_vote(*listing(example, votes), example.truth) for example in examples]
    chances = np.clip([chance for image in judged for chance in image.chances], 1e-6, 1 - 1e-6)
    true = np.array([is_true for image in judged for is_true in image.true])
    found = figures(judged)
    return found["F1"], found["ECE"], float(-np.mean(np.log(np.where(true, chances, 1 - chances))))


def typical(seeds: Sequence[int], start: Constants) -> TypicalFleet:
    """The median of what is seen of fleets drawn at random."""
    looks = [
        _look(random_fleet(seed, number, _COUNT_OF_TYPICAL), start)
        for seed in seeds
        for number in range(FLEETS_OF_A_SEED)
    ]
    fleets = np.array([list(asdict(look.fleet).values()) for look in looks if look.fleet])
    return TypicalFleet(*(round(float(one), 2) for one in np.median(fleets, axis=0)))


def _look(scenes: Iterable[Answered], start: Constants) -> VoteLook:
    history = VoteHistory(start[1])
    for example in vote_examples(scenes, start[0]):
        history.add(example)
    return history.look()


def _with_weak_boxes(scenes: Iterable[Answered], seed: int, number: int) -> Iterator[Answered]:
    """Each detector names things that are not there, up to so many and so surely in this fleet."""
    rng = dice("weak boxes", seed, number)
    most, surest = rng.randrange(4, 14), rng.uniform(0.2, 0.5)
    for one in scenes:
        added = {
            name: [*one.answers[name], *(_weak_box(one, surest, rng) for _ in range(rng.randrange(most)))]
            for name in DETECTORS
        }
        yield replace(one, answers={**one.answers, **added})


def _weak_box(one: Answered, surest: float, rng: random.Random) -> Prediction:
    label, width, height = rng.choice(LABELS), rng.randrange(20, 200), rng.randrange(20, 150)
    box = {
        "x": rng.randrange(max(1, one.scene.width - width)),
        "y": rng.randrange(max(1, one.scene.height - height)),
        "width": width,
        "height": height,
    }
    prediction: Prediction = {"label": label, "confidence": round(rng.uniform(0.05, surest), 3), "bbox": box}
    emoji = singular(label)
    return prediction | {"emoji": emoji} if emoji else prediction


def _print_drawn(start: Constants) -> None:
    for name, spoilt in (("drawn", False), ("with weak boxes", True)):
        changes = []
        for seed in _SEEDS:
            for number in range(FLEETS_OF_A_SEED):
                drawn = random_fleet(seed, number, _COUNT_OF_DRAWN)
                scenes = list(_with_weak_boxes(drawn, seed, number) if spoilt else drawn)
                history, others = scenes[: len(scenes) // 2], scenes[len(scenes) // 2 :]
                changes.append(np.subtract(scores(others, learnt(history, start)), scores(others, start)))
        (f1, ece, loss), worst = np.mean(changes, axis=0), min(change[0] for change in changes)
        print(f"{name:16s} F1 {f1:+.4f} (worst {worst:+.4f}), ECE {ece:+.4f}, log loss {loss:+.4f}", flush=True)


def _print_fleets(start: Constants) -> None:
    for fleet in FLEETS:
        history, scenes = (
            list(all_answers(fleet, count, seed)) for count, seed in ((_HISTORY_COUNT, _HISTORY_SEED), (_COUNT, _SEED))
        )
        before, after = scores(scenes, start), scores(scenes, learnt(history, start))
        told = " to ".join(f"{f1:.3f} / {ece:.3f}" for f1, ece, _ in (before, after))
        print(f"{fleet:16s} F1 / ECE {told}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--typical", metavar="SEEDS", help="a comma list; only writes what is typical")
    chosen = parser.parse_args()
    document = json.loads(_FILE.read_text(encoding="utf-8"))
    start = BoxCalibration.from_document(document["boxes"]), VoteCalibration.from_document(document["votes"])
    if not chosen.typical:
        _print_drawn(start)
        _print_fleets(start)
        return
    seeds = [int(part) for part in chosen.typical.split(",")]
    if min(seeds) < FIRST_SEED_FOR_FITTING:
        raise SystemExit(f"seeds under {FIRST_SEED_FOR_FITTING} are for reports, not for fitting")
    document["votes"]["typical"] = asdict(typical(seeds, start))
    _FILE.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
