"""How good the vote is beside other ways to vote, on drawn scenes: python -m bench.accuracy.votes --count 500

All figures are over the emojis of all scenes, and means over seeds; what only specialists name is left out. After all
answers comes F1 as answers arrive. --fit 100,101,102,103 writes the constants anew, from fleets drawn at random with
those seeds; what is typical of them is then to be written by bench.accuracy.learnt_votes.
"""

import argparse
import json
import random
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from bench.accuracy.fleets import FIRST_SEED_FOR_FITTING, FLEETS, all_answers
from bench.accuracy.random_fleets import FLEETS_OF_A_SEED, random_fleet
from bench.accuracy.scenes import SERVICES, Answered
from bench.accuracy.vote_rivals import RIVALS, RivalVotes, VoteMethod
from dev.farm.emojis import singular
from dev.farm.truth import Scene
from windmill.kernels.boxes.box_calibration import BoxCalibration
from windmill.kernels.boxes.fusion import merge
from windmill.kernels.votes.vote_calibration import BoxVoice, ServiceVoice, VoteCalibration
from windmill.kernels.votes.vote_design import VoteExample
from windmill.kernels.votes.vote_fitting import fit, listing
from windmill.kernels.votes.vote_scores import figures, judge_vote

_FILE = Path("calibration.json")
_ARRIVALS = (
    "colors", "metadata", "clip", "inception_v3", "nsfw2", "ocr", "face", "yolov8", "pose", "blip", "rtdetr",
    "detectron2", "ollama",
)  # fmt: skip
_STAGES = (4, 8, 10, 11, 12, 13)
_DETECTORS = ("detectron2", "rtdetr", "yolov8")
_ALIKE = (_DETECTORS, ("blip", "ollama"))
"""Services that get the same weights, because nothing is known of the ones that will be there instead of them."""
_NEUTRAL: dict[str, Any] = {"voice": 1.5, "slope": 0.5, "again": 0.5, "lag": 0.0, "silence": 0.5, "confirms": 0.0}
"""Where fitting starts; specialists stay as they are, because no scene tells whether its faces or texts are right."""
_WHOLE = 3
_COLUMNS = ("precision", "recall", "F1", "AP", "ECE", "Brier", "ms")


def examples(fleet: str, count: int, seed: int, boxes: BoxCalibration) -> list[VoteExample]:
    """Scenes 1 to `count` of a seed, with all answers of a fleet and the boxes merged from them."""
    return vote_examples(all_answers(fleet, count, seed), boxes)


def vote_examples(scenes: Iterable[Answered], boxes: BoxCalibration) -> list[VoteExample]:
    found = []
    for one in scenes:
        answers = {service: {"predictions": predictions} for service, predictions in one.answers.items()}
        found.append(_with_boxes(VoteExample(answers, truth(one.scene)), boxes))
    return found


def truth(scene: Scene) -> frozenset[str]:
    """The emojis of the things, and of the place if it has one."""
    words = [*(thing.label for thing in scene.things), scene.theme]
    return frozenset(emoji for word in words if (emoji := singular(word)))


def first_answers(example: VoteExample, services: Sequence[str], boxes: BoxCalibration) -> VoteExample:
    """The example with the answers of these services only."""
    answers = {service: example.answers[service] for service in services if service in example.answers}
    return _with_boxes(VoteExample(answers, example.truth), boxes)


def _with_boxes(example: VoteExample, boxes: BoxCalibration) -> VoteExample:
    seen = {name: reply["predictions"] for name, reply in example.answers.items() if name in _DETECTORS}  # type: ignore[index]
    found = [box.as_data() | {"box_key": box.cluster_id} for box in merge(seen, boxes).boxes]
    return VoteExample(example.answers, example.truth, found)


def rows(
    data: Sequence[Sequence[VoteExample]], known: Mapping[str, VoteMethod]
) -> Iterator[tuple[str, dict[str, float]]]:
    """The figures of each method; `data` is by seed."""
    for name, method in known.items():
        found = []
        for images in data:
            began = time.process_time()
            verdicts = method(images)
            milliseconds = 1e3 * (time.process_time() - began) / len(images)
            judged = [judge_vote(*verdict, image.truth) for verdict, image in zip(verdicts, images, strict=True)]
            found.append(figures(judged) | {"ms": milliseconds})
        yield name, {column: float(np.mean([one[column] for one in found])) for column in _COLUMNS}


def ours(calibration: VoteCalibration, images: Sequence[VoteExample]) -> list[RivalVotes]:
    """This project's vote."""
    return [RivalVotes(*listing(image, calibration)) for image in images]


def training(data: Sequence[VoteExample], boxes: BoxCalibration) -> list[VoteExample]:
    """Each image with all answers, and once with some: in the usual order or another one, with or without boxes.

    The vote with all answers stays, the others are replaced within seconds, so it counts more.
    """
    dice = random.Random("votes")
    found = []
    for image in data:
        some = tuple(service for service in image.answers if dice.random() < 0.6)
        stage = dice.choice((some, *(_ARRIVALS[:stage] for stage in _STAGES[:-1])))
        example = first_answers(image, stage, boxes)
        found += [image] * _WHOLE
        found.append(example if dice.random() < 0.7 else VoteExample(example.answers, example.truth))
    return found


def _refit(seeds: Sequence[int], document: dict[str, Any], count: int, boxes: BoxCalibration) -> dict[str, Any]:
    """Rewrite the constants of the section `votes`; everything else stays."""
    if min(seeds) < FIRST_SEED_FOR_FITTING:
        raise SystemExit(f"seeds under {FIRST_SEED_FOR_FITTING} are for reports, not for fitting")
    start = _without_weights(VoteCalibration.from_document(document.get("votes", {})))
    scenes = [
        one
        for seed in seeds
        for number in range(FLEETS_OF_A_SEED)
        for one in random_fleet(seed, number, count // FLEETS_OF_A_SEED)
    ]
    known = training(vote_examples(scenes, boxes), boxes)
    fitted = _with_same_weights(fit(known, start)).as_document()
    document = json.loads(_FILE.read_text(encoding="utf-8"))
    before = document.get("votes")
    notes = {"notes": before["notes"]} if isinstance(before, dict) and "notes" in before else {}
    document["votes"] = notes | fitted
    _FILE.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return document


def _without_weights(calibration: VoteCalibration) -> VoteCalibration:
    """What is known of the services, and nothing of how far to trust them."""
    return replace(
        calibration,
        prior=VoteCalibration().prior,
        commoner=dict.fromkeys(calibration.commoner, 0.0),
        families={},
        services={name: _untrusted(name, voice) for name, voice in calibration.services.items()},
        boxes=BoxVoice(calibration.boxes.family),
    )


def _untrusted(service: str, voice: ServiceVoice) -> ServiceVoice:
    if voice.role:
        return replace(voice, confirms=1.0 if voice.confirms else 0.0)
    return replace(voice, **_NEUTRAL) if service in SERVICES else voice


def _with_same_weights(calibration: VoteCalibration) -> VoteCalibration:
    """The mean weights for services that are alike."""
    services = dict(calibration.services)
    for names in _ALIKE:
        own = {what: [getattr(services[name], what) for name in names] for what in _NEUTRAL}
        means: dict[str, Any] = {what: round(float(np.mean(weights)), 3) for what, weights in own.items()}
        services |= {name: replace(services[name], **means) for name in names}
    return replace(calibration, services=services)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=500, help="scenes of each seed")
    parser.add_argument("--seeds", default="1,2,3", help="a comma list")
    parser.add_argument("--fleets", default="usual", help=f"a comma list of {', '.join(FLEETS)}")
    parser.add_argument("--fit", metavar="SEEDS", help="fit on these seeds and write calibration.json")
    chosen = parser.parse_args()
    document = json.loads(_FILE.read_text(encoding="utf-8"))
    boxes = BoxCalibration.from_document(document["boxes"])
    if chosen.fit:
        document = _refit(_numbers(chosen.fit), document, chosen.count, boxes)
    known: dict[str, VoteMethod] = {
        **RIVALS,
        "windmill": partial(ours, VoteCalibration.from_document(document["votes"])),
    }
    for fleet in chosen.fleets.split(","):
        data = [examples(fleet, chosen.count, seed, boxes) for seed in _numbers(chosen.seeds)]
        print(f"{fleet:14s}" + " ".join(f"{name:>9s}" for name in _COLUMNS))
        for name, found in rows(data, known):
            print(f"{name:14s}" + " ".join(f"{found[column]:9.3f}" for column in _COLUMNS), flush=True)
        if fleet == "usual":
            _print_arrivals(data, known, boxes)


def _print_arrivals(
    data: Sequence[Sequence[VoteExample]], known: Mapping[str, VoteMethod], boxes: BoxCalibration
) -> None:
    """F1 after so many answers, for each method."""
    scores: dict[str, list[float]] = {name: [] for name in known}
    for stage in _STAGES:
        part = [[first_answers(image, _ARRIVALS[:stage], boxes) for image in images] for images in data]
        for name, found in rows(part, known):
            scores[name].append(found["F1"])
    print(f"\n{'F1 after':14s}" + " ".join(f"{stage:9d}" for stage in _STAGES))
    for name, found_f1 in scores.items():
        print(f"{name:14s}" + " ".join(f"{one:9.3f}" for one in found_f1))


def _numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


if __name__ == "__main__":
    main()
