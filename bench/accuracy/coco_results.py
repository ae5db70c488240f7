"""Reads a folder of COCO results, one file per detector, with the truth beside them."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from windmill.kernels.boxes.box_fitting import BoxExample

TRUTH = "truth.json"


def read_results(folder: Path, floor: float) -> list[BoxExample]:
    """Every picture of the truth, with what each detector reports of it from this score on.

    A file with a list is a detector named by the file; the one with annotations is the truth. Crowds are left out.
    """
    documents = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))}
    truths = [one for one in documents.values() if isinstance(one, dict) and "annotations" in one]
    results = {name: one for name, one in documents.items() if isinstance(one, list)}
    if len(truths) != 1 or not results:
        raise SystemExit(f"{folder} needs one file of COCO annotations and COCO results of at least one detector")
    return _examples(truths[0], results, floor)


def _examples(truth: dict[str, Any], results: dict[str, list[dict[str, Any]]], floor: float) -> list[BoxExample]:
    labels = {one["id"]: str(one["name"]) for one in truth["categories"]}
    true: dict[Any, list[tuple[Sequence[float], str]]] = {one["id"]: [] for one in truth["images"]}
    for one in truth["annotations"]:
        if not one.get("iscrowd"):
            true[one["image_id"]].append((one["bbox"], labels[one["category_id"]]))
    said: dict[Any, dict[str, list[dict[str, Any]]]] = {image: {name: [] for name in results} for image in true}
    for name, found in results.items():
        for one in found:
            if one["image_id"] in said and one["score"] >= floor:
                label = labels[one["category_id"]]
                said[one["image_id"]][name].append(
                    {"label": label, "confidence": float(one["score"]), "bbox": one["bbox"]}
                )
    return [
        BoxExample(
            said[image["id"]],
            [box for box, _ in true[image["id"]]],
            [label for _, label in true[image["id"]]],
            (image["width"], image["height"]),
        )
        for image in truth["images"]
    ]
