"""How good merged boxes are beside other ways to fuse, on drawn scenes: python -m bench.accuracy.boxes --count 500

Every figure is the mean over seeds and over the sets of one, two or three services. Detectors with habits that no
constant was fitted on come after the usual ones. "learnt" knows answers of the fleet to other scenes, without truth.
--fit 100,101 writes the constants anew, from fleets drawn at random with those seeds.
"""

import argparse
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from bench.accuracy.fleets import DETECTORS, FIRST_SEED_FOR_FITTING, FLEETS, as_example, examples
from bench.accuracy.random_fleets import FLEETS_OF_A_SEED, random_fleet
from bench.accuracy.rivals import alone, nms, quorum, wbf
from bench.accuracy.scenes import Answered
from windmill.kernels.boxes.average_precision import LabelledBoxes
from windmill.kernels.boxes.box_calibration import BoxCalibration, DetectorCalibration
from windmill.kernels.boxes.box_fitting import BoxExample, fit, rated
from windmill.kernels.boxes.box_learning import learn
from windmill.kernels.boxes.detections import Detections, parse_detections
from windmill.kernels.boxes.fusion import merge
from windmill.kernels.boxes.geometry import corners

MergeMethod = Callable[[BoxExample], LabelledBoxes]
_FILE = Path("calibration.json")
_WEIGHTS = {"detectron2": 1.0, "rtdetr": 2.0, "yolov8": 2.0}
_FIT_COUNT = 500
_HISTORY_SEED = 50
_COLUMNS = ("mAP", "AP50", "AP75", "precision", "recall", "F1", "best_F1", "ECE", "boxes", "ms", "p95")


@dataclass(frozen=True)
class FigureRow:
    """Mean scores of one method with a number of services of one fleet."""

    fleet: str
    services: int
    method: str
    figures: dict[str, float]

    def render(self) -> str:
        figures = " ".join(f"{self.figures[name]:9.3f}" for name in _COLUMNS)
        return f"{self.fleet:14s}{self.services} {self.method:14s}{figures}"


def methods(calibration: BoxCalibration) -> dict[str, MergeMethod]:
    """Each takes an image's answers to boxes with scores."""
    return {
        "alone": partial(_rival, alone),
        "NMS": partial(_rival, nms),
        "WBF": partial(_rival, wbf),
        "WBF weighted": partial(_rival, partial(wbf, weights=_WEIGHTS)),
        "quorum 2": partial(_rival, quorum),
        "windmill": partial(_ours, calibration),
    }


def rows(
    fleet: str, data: Sequence[Sequence[BoxExample]], known: Mapping[str, MergeMethod], most: bool
) -> Iterator[FigureRow]:
    """Scores of every method, for one, two and three services, or for three only. `data` is by seed."""
    for size in (1, 2, 3) if most else (3,):
        subsets = list(combinations(DETECTORS, size))
        for name, method in known.items():
            if (name == "alone") == (size == 1) or name.startswith("windmill"):
                found = [_figures(method, images, subset) for images in data for subset in subsets]
                yield FigureRow(fleet, size, name, _mean(found))


def _figures(method: MergeMethod, images: Sequence[BoxExample], services: Sequence[str]) -> dict[str, float]:
    seconds, pairs = [], []
    for image in images:
        part = replace(image, answers={service: image.answers[service] for service in services})
        began = time.process_time()
        found = method(part)
        seconds.append(time.process_time() - began)
        pairs.append((found, image.truth()))
    boxes = float(np.mean([len(found.labels) for found, _ in pairs]))
    times = {"ms": 1e3 * float(np.mean(seconds)), "p95": 1e3 * float(np.quantile(seconds, 0.95))}
    return rated(pairs) | {"boxes": boxes} | times


def _mean(found: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {name: float(np.mean([one[name] for one in found])) for name in _COLUMNS}


def _rival(method: Callable[[Detections], LabelledBoxes], example: BoxExample) -> LabelledBoxes:
    found = method(parse_detections(example.answers, example.size)[0])
    inside = np.clip(found.corners, 0, [*example.size, *example.size]) if example.size else found.corners
    return replace(found, corners=inside)


def _ours(calibration: BoxCalibration, example: BoxExample) -> LabelledBoxes:
    boxes = merge(example.answers, calibration, example.size).boxes
    scores = np.array([box.confidence for box in boxes], dtype=np.float64)
    return LabelledBoxes(corners([box.box for box in boxes]), [box.label for box in boxes], scores)


def _learnt(fleet: str, count: int, start: BoxCalibration) -> BoxCalibration:
    """What the answers of this fleet teach on scenes of its own, whose truth nobody looks at."""
    return learn([one.answers for one in examples(fleet, count, _HISTORY_SEED)], start).calibration


def _refit(seeds: Sequence[int], count: int) -> None:
    """Rewrite the constants of the section `boxes`: what is typical of fleets drawn at random, the same for every
    detector. Vocabularies and overlaps stay."""
    if min(seeds) < FIRST_SEED_FOR_FITTING:
        raise SystemExit(f"seeds under {FIRST_SEED_FOR_FITTING} are for reports, not for fitting")
    known = BoxCalibration.from_document(_document()["boxes"])
    start = replace(BoxCalibration(), detectors=dict.fromkeys(DETECTORS, DetectorCalibration()))
    fitted = [
        fit([_of_detectors(one) for one in random_fleet(seed, number, count // FLEETS_OF_A_SEED)], start)
        for seed in seeds
        for number in range(FLEETS_OF_A_SEED)
    ]
    typical = _typical(fitted)
    detectors = {name: replace(typical.unknown, vocabulary=entry.vocabulary) for name, entry in known.detectors.items()}
    document = _document()
    fresh = replace(typical, detectors=detectors, vocabularies=known.vocabularies).as_document()
    document["boxes"] = {"notes": document["boxes"].get("notes", "")} | fresh
    _FILE.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _of_detectors(one: Answered) -> BoxExample:
    return as_example(one.scene, {name: one.answers[name] for name in DETECTORS})


def _typical(fitted: Sequence[BoxCalibration]) -> BoxCalibration:
    """The median of each constant over all detectors of all fleets."""
    entries = [one.of(name) for one in fitted for name in DETECTORS]
    own: dict[str, Any] = {
        name: _median([getattr(one, name) for one in entries]) for name in ("offset", "slope", "silence")
    }
    shared: dict[str, Any] = {
        name: _median([getattr(one, name) for one in fitted]) for name in ("agreement", "damping", "size", "part")
    }
    return replace(BoxCalibration(), unknown=replace(DetectorCalibration(), **own), **shared)


def _median(values: Sequence[float]) -> float:
    return round(float(np.median(values)), 2)


def _document() -> dict[str, Any]:
    document: dict[str, Any] = json.loads(_FILE.read_text(encoding="utf-8"))
    return document


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=_FIT_COUNT, help="scenes of each seed")
    parser.add_argument("--seeds", default="1", help="a comma list")
    parser.add_argument("--fleets", default=",".join(FLEETS), help="a comma list")
    parser.add_argument("--fit", metavar="SEEDS", help="fit on these seeds and write calibration.json")
    parser.add_argument("--json", type=Path, help="also write the rows there")
    chosen = parser.parse_args()
    if chosen.fit:
        _refit(_numbers(chosen.fit), chosen.count)
    calibration = BoxCalibration.from_document(_document()["boxes"])
    print(f"{'fleet':14s}n {'method':14s}" + " ".join(f"{name:>9s}" for name in _COLUMNS))
    found: list[FigureRow] = []
    for fleet in chosen.fleets.split(","):
        data = [list(examples(fleet, chosen.count, seed)) for seed in _numbers(chosen.seeds)]
        known = methods(calibration) | {"windmill learnt": partial(_ours, _learnt(fleet, chosen.count, calibration))}
        for row in rows(fleet, data, known, most=fleet == "usual"):
            found.append(row)
            print(row.render(), flush=True)
    if chosen.json:
        chosen.json.write_text(json.dumps([asdict(row) for row in found], indent=2) + "\n", encoding="utf-8")


def _numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


if __name__ == "__main__":
    main()
