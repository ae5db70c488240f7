"""How good merged boxes are on real pictures: python -m bench.accuracy.real FOLDER

FOLDER holds what real detectors said in the COCO result format, one file each, and the truth. What can be fitted is
fitted on a random half of the pictures and tested on the other; figures are means over such halves. The interval of the
difference is over pictures, drawn with replacement.
"""

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from bench.accuracy.coco_results import read_results
from bench.accuracy.fused import Trained, calibrated, fixed_methods, learned, tuned_wbf
from bench.accuracy.judged_pictures import JudgedPictures
from windmill.kernels.boxes.geometry import Bools, Floats

_COLUMNS = ("mAP", "AP50", "AP75", "best_F1", "F1", "ECE")
_OURS, _ANCHOR = "windmill, calibrated", "WBF tuned"


def random_halves(pictures: int, count: int, seed: int) -> list[Bools]:
    """Which pictures to fit on, for each half."""
    dice = np.random.default_rng(seed)
    halves = []
    for _ in range(count):
        known = np.zeros(pictures, dtype=np.bool_)
        known[dice.permutation(pictures)[: pictures // 2]] = True
        halves.append(known)
    return halves


def tested(method: Trained, halves: Sequence[Bools]) -> list[JudgedPictures]:
    """What the method makes of the others, for each half."""
    return [method(known) for known in halves]


def mean_figures(results: Sequence[JudgedPictures], halves: Sequence[Bools]) -> dict[str, float]:
    """Over the pictures that were not fitted on."""
    found = [one.figures(_others(known)) for one, known in zip(results, halves, strict=True)]
    return {name: float(np.mean([one[name] for one in found])) for name in _COLUMNS}


def differences(some: Sequence[JudgedPictures], others: Sequence[JudgedPictures], halves: Sequence[Bools]) -> Floats:
    """By how much the mAP of some exceeds that of others, for each half."""
    triples = zip(some, others, halves, strict=True)
    return np.array([_difference(one, other, _others(known)) for one, other, known in triples])


def resampled_differences(
    some: Sequence[JudgedPictures], others: Sequence[JudgedPictures], halves: Sequence[Bools], count: int, seed: int
) -> Floats:
    """The mean difference over all halves, for each draw of as many pictures with replacement."""
    dice = np.random.default_rng([seed, 1])
    pictures = len(halves[0])
    means = []
    for _ in range(count):
        often = np.bincount(dice.integers(0, pictures, pictures), minlength=pictures).astype(np.float64)
        triples = zip(some, others, halves, strict=True)
        means.append(float(np.mean([_difference(one, other, often * _others(known)) for one, other, known in triples])))
    return np.array(means)


def _difference(one: JudgedPictures, other: JudgedPictures, weights: Floats) -> float:
    return float(one.average_precisions(weights).mean() - other.average_precisions(weights).mean())


def _others(known: Bools) -> Floats:
    return np.asarray(~known, dtype=np.float64)


def _rows(
    fixed: Iterator[tuple[str, JudgedPictures]], trained: Mapping[str, list[JudgedPictures]], halves: Sequence[Bools]
) -> Iterator[tuple[str, dict[str, float]]]:
    for name, result in fixed:
        yield name, mean_figures([result] * len(halves), halves)
    for name, results in trained.items():
        yield name, mean_figures(results, halves)


def last_line(ours: Mapping[str, float], anchor: Mapping[str, float]) -> str:
    told = (f"mAP {one['mAP']:.4f} F1@.5 {one['F1']:.3f} ECE {one['ECE']:.3f}" for one in (ours, anchor))
    return "real: windmill {}, WBF tuned {}".format(*told)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--halves", type=int, default=10, help="how many random halves")
    parser.add_argument("--floor", type=float, default=0.05, help="the lowest score that is read")
    parser.add_argument("--seed", type=int, default=0, help="of the halves")
    parser.add_argument("--resamples", type=int, default=200, help="how often pictures are drawn for the interval")
    parser.add_argument("--json", type=Path, help="also write the rows there")
    chosen = parser.parse_args()
    examples = read_results(chosen.folder, chosen.floor)
    halves = random_halves(len(examples), chosen.halves, chosen.seed)
    print(f"{len(examples)} pictures, {len(halves)} halves, scores from {chosen.floor}")
    print(f"{'':24s}" + " ".join(f"{name:>8s}" for name in _COLUMNS), flush=True)
    trained = {_ANCHOR: tested(tuned_wbf(examples), halves)}
    trained["windmill, learned"] = tested(learned(examples), halves)
    trained[_OURS] = tested(calibrated(examples), halves)
    found = {}
    for name, figures in _rows(fixed_methods(examples), trained, halves):
        found[name] = figures
        print(f"{name:24s}" + " ".join(f"{figures[column]:8.4f}" for column in _COLUMNS), flush=True)
    _print_difference(trained[_OURS], trained[_ANCHOR], halves, chosen.resamples, chosen.seed)
    if chosen.json:
        chosen.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    print(last_line(found[_OURS], found[_ANCHOR]))


def _print_difference(
    ours: Sequence[JudgedPictures], anchor: Sequence[JudgedPictures], halves: Sequence[Bools], count: int, seed: int
) -> None:
    mean = float(differences(ours, anchor, halves).mean())
    low, high = np.quantile(resampled_differences(ours, anchor, halves, count, seed), (0.025, 0.975))
    print(f"mAP of windmill calibrated minus WBF tuned: {mean:+.4f}, 95 % of pictures {low:+.4f} to {high:+.4f}")


if __name__ == "__main__":
    main()
