"""The truth of images, as a COCO file has it."""

import json
from pathlib import Path
from typing import Any

import pytest

from windmill.core.errors import WindmillError
from windmill.operate.calibration.annotations import Truth, read_annotations

WHOLE: dict[str, Any] = {
    "images": [
        {"id": 7, "file_name": "some/folder/a.jpg", "width": 640, "height": 480},
        {"id": 8, "file_name": "b.jpg"},
    ],
    "categories": [{"id": 1, "name": "person"}, {"id": 18, "name": "dog"}],
    "annotations": [
        {"image_id": 7, "category_id": 18, "bbox": [1, 2.5, 30, 40]},
        {"image_id": 7, "category_id": 1, "bbox": [0, 0, 10, 10], "iscrowd": 1},
        {"image_id": 7, "category_id": 1, "bbox": [0, 0, 0, 10], "iscrowd": 0},
    ],
}


def written(folder: Path, document: object) -> Path:
    path = folder / "truth.json"
    path.write_text(json.dumps(document))
    return path


def test_an_image_is_known_by_its_file_and_has_its_boxes_but_no_crowds_and_no_empty_ones(tmp_path: Path) -> None:
    assert read_annotations(written(tmp_path, WHOLE)) == {
        "a.jpg": Truth([(1.0, 2.5, 30.0, 40.0)], ["dog"], (640, 480)),
        "b.jpg": Truth(),
    }


@pytest.mark.parametrize(
    "changed",
    [
        {"images": 3},
        {"images": [{"file_name": "a.jpg"}]},
        {"images": [{"id": 7, "file_name": "x/a.jpg"}, {"id": 8, "file_name": "y/a.jpg"}]},
        {"categories": [{"id": 1}]},
        {"annotations": [{"image_id": 7, "category_id": 99, "bbox": [1, 2, 3, 4]}]},
        {"annotations": [{"image_id": 99, "category_id": 1, "bbox": [1, 2, 3, 4]}]},
        {"annotations": [{"image_id": 7, "category_id": 1, "bbox": [1, 2, 3]}]},
        {"annotations": [{"image_id": 7, "category_id": 1, "bbox": "wide"}]},
    ],
)
def test_a_file_that_is_not_coco_is_refused_with_what_it_should_be(tmp_path: Path, changed: dict[str, Any]) -> None:
    path = written(tmp_path, WHOLE | changed)
    with pytest.raises(WindmillError, match="is not in the COCO format") as raised:
        read_annotations(path)
    assert str(path) in str(raised.value)
    assert "annotations with bbox" in raised.value.remedy


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(WindmillError, match=r"nowhere\.json cannot be read"):
        read_annotations(tmp_path / "nowhere.json")
