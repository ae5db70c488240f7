"""Reading ground truth: annotations in the COCO format, validated as a whole."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from windmill.core.errors import WindmillError, unreadable_file

_REMEDY = "a COCO file has images with id and file_name, categories with id and name, annotations with bbox"


@dataclass(frozen=True)
class Truth:
    """The ground truth of an image: boxes as x, y, width, height in pixels, each with its label."""

    boxes: list[tuple[float, float, float, float]] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    size: tuple[int, int] | None = None


def read_annotations(path: Path) -> dict[str, Truth]:
    """The truth of each image by its file name without folders."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise WindmillError(unreadable_file(error), f"--truth {path} cannot be read: {error}", _REMEDY) from error
    try:
        return _truths(document)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        said = f"--truth {path} is not in the COCO format: {type(error).__name__} {error}"
        raise WindmillError("USAGE", said, _REMEDY) from error


def _truths(document: Mapping[str, Any]) -> dict[str, Truth]:
    labels = {one["id"]: str(one["name"]) for one in document["categories"]}
    truths = {one["id"]: Truth(size=_size(one)) for one in document["images"]}
    for image, box, label in _boxes(document["annotations"], labels):
        truths[image].boxes.append(box)
        truths[image].labels.append(label)
    names = [Path(str(one["file_name"])).name for one in document["images"]]
    twice = next((name for name in names if names.count(name) > 1), None) if len(set(names)) < len(names) else None
    if twice:
        raise ValueError(f"two images are called {twice}")
    return dict(zip(names, truths.values(), strict=True))


def _boxes(
    annotations: list[Mapping[str, Any]], labels: Mapping[Any, str]
) -> Iterator[tuple[Any, tuple[float, float, float, float], str]]:
    """Boxes of single objects; those of crowds are left out."""
    for one in annotations:
        if not one.get("iscrowd"):
            x, y, width, height = (float(side) for side in one["bbox"])
            if width > 0 and height > 0:
                yield one["image_id"], (x, y, width, height), labels[one["category_id"]]


def _size(image: Mapping[str, Any]) -> tuple[int, int] | None:
    width, height = image.get("width"), image.get("height")
    return (width, height) if isinstance(width, int) and isinstance(height, int) and width > 0 < height else None
