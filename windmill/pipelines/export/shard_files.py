"""What writes the records of one shard into a file: one class for each format, with the same three methods."""

import csv
import io
import tarfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Protocol

import orjson

from windmill.core.messages import UNREADABLE_URL
from windmill.kernels.media.image_header import format_of
from windmill.kernels.net.artifact_urls import is_artifact_url
from windmill.pipelines.export.form import ExportFormat
from windmill.pipelines.export.parquet_shard import ParquetShard
from windmill.pipelines.export.records import COLUMNS, Record


class ShardFile(Protocol):
    """Records are added in the order of their ids."""

    def add(self, records: Sequence[Record], pictures: Mapping[int, bytes]) -> None:
        """Write some more; `pictures` only for a format that takes them."""
        ...

    def close(self) -> None:
        """Write what belongs to the end."""
        ...


class JsonLines:
    """One JSON object a line."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb")

    def add(self, records: Sequence[Record], pictures: Mapping[int, bytes]) -> None:  # noqa: ARG002 - takes none
        self._file.writelines(orjson.dumps(one, option=orjson.OPT_APPEND_NEWLINE) for one in records)

    def close(self) -> None:
        self._file.close()


class CsvRows:
    """One row an image under a heading; lists are JSON."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("w", encoding="utf-8", newline="")
        self._rows = csv.writer(self._file)
        self._rows.writerow(COLUMNS)

    def add(self, records: Sequence[Record], pictures: Mapping[int, bytes]) -> None:  # noqa: ARG002 - takes none
        self._rows.writerows([_cell(one[name]) for name in COLUMNS] for one in records)

    def close(self) -> None:
        self._file.close()


def _cell(value: Any) -> object:  # noqa: ANN401 - any value of a record
    if isinstance(value, list):
        return orjson.dumps(value).decode()
    return value.isoformat() if hasattr(value, "isoformat") else value


class Coco:
    """Images, boxes as annotations with scores, and categories, whose ids are the same in every shard."""

    def __init__(self, path: Path, category_ids: Callable[[str], int]) -> None:
        self._file, self._category_ids = path.open("wb"), category_ids
        self._annotations = path.with_suffix(".annotations").open("w+b")
        self._categories: dict[str, int] = {}
        self._file.write(b'{"info": {"description": "exported by Windmill"}, "images": [')
        self._images = self._boxes = 0

    def add(self, records: Sequence[Record], pictures: Mapping[int, bytes]) -> None:  # noqa: ARG002 - takes none
        for one in records:
            size = {"width": one["width"] or 0, "height": one["height"] or 0}
            _write(self._file, {"id": one["image_id"], **_coco_place(one), **size}, self._images)
            self._images += 1
            for box in one["boxes"]:
                _write(self._annotations, self._annotation(one["image_id"], box), self._boxes)
                self._boxes += 1

    def _annotation(self, image_id: int, box: Mapping[str, Any]) -> dict[str, Any]:
        category = self._categories.setdefault(box["label"], self._category_ids(box["label"]))
        place = [box["x"], box["y"], box["width"], box["height"]]
        return {
            "id": box["box_id"],
            "image_id": image_id,
            "category_id": category,
            "bbox": place,
            "area": box["width"] * box["height"],
            "iscrowd": 0,
            "score": box["confidence"],
        }

    def close(self) -> None:
        self._file.write(b'],\n"annotations": [')
        self._annotations.seek(0)
        while piece := self._annotations.read(1 << 20):
            self._file.write(piece)
        ids = sorted((number, name) for name, number in self._categories.items())
        categories = [{"id": number, "name": name} for number, name in ids]
        self._file.write(b'],\n"categories": ' + orjson.dumps(categories) + b"}\n")
        self._annotations.close()
        self._file.close()
        Path(self._annotations.name).unlink()


def _coco_place(record: Record) -> dict[str, str]:
    """A name that no other image has, as annotations are found by it: images of two folders may be called alike."""
    where: str | None = record["location"]
    own = {"file_name": f"{record['image_id']}/{record['name']}"}
    if where is None or where == UNREADABLE_URL:
        return own
    is_url = "://" in where or is_artifact_url(where)
    return {**own, "coco_url": where} if is_url else {"file_name": where}


class LabelStudio:
    """Tasks with the boxes as predictions, in percent of the picture."""

    def __init__(self, path: Path) -> None:
        self._file, self._tasks = path.open("wb"), 0
        self._file.write(b"[")

    def add(self, records: Sequence[Record], pictures: Mapping[int, bytes]) -> None:  # noqa: ARG002 - takes none
        for one in records:
            _write(self._file, _task(one), self._tasks)
            self._tasks += 1

    def close(self) -> None:
        self._file.write(b"]\n")
        self._file.close()


def _task(record: Record) -> dict[str, Any]:
    width, height = record["width"], record["height"]
    boxes = record["boxes"] if width and height else []
    results = [
        {
            "id": str(box["box_id"]),
            "type": "rectanglelabels",
            "from_name": "label",
            "to_name": "image",
            "original_width": width,
            "original_height": height,
            "image_rotation": 0,
            "score": box["confidence"],
            "value": {
                "x": 100 * box["x"] / width,
                "y": 100 * box["y"] / height,
                "width": 100 * box["width"] / width,
                "height": 100 * box["height"] / height,
                "rotation": 0,
                "rectanglelabels": [box["label"]],
            },
        }
        for box in boxes
    ]
    data = {"image": record["location"] or record["name"], "image_id": record["image_id"]}
    score = max((box["confidence"] for box in boxes), default=0.0)
    return {"data": data, "predictions": [{"model_version": "windmill", "score": score, "result": results}]}


class WebDataset:
    """A tar file with the picture and a JSON file of each image; a picture that cannot be read is left out."""

    def __init__(self, path: Path) -> None:
        self._tar = tarfile.open(path, "w", format=tarfile.USTAR_FORMAT)  # noqa: SIM115 - closed by close

    def add(self, records: Sequence[Record], pictures: Mapping[int, bytes]) -> None:
        for one in records:
            key = f"{one['image_id']:012d}"
            if picture := pictures.get(one["image_id"]):
                self._put(f"{key}.{_suffix(picture)}", picture)
            self._put(f"{key}.json", orjson.dumps(one))

    def _put(self, name: str, data: bytes) -> None:
        entry = tarfile.TarInfo(name)
        entry.size = len(data)
        self._tar.addfile(entry, io.BytesIO(data))

    def close(self) -> None:
        self._tar.close()


def _suffix(picture: bytes) -> str:
    found = (format_of(picture[:64]) or "bin").lower()
    return "jpg" if found == "jpeg" else found


def _write(file: IO[bytes], document: object, before: int) -> None:
    file.write((b",\n" if before else b"") + orjson.dumps(document))


SUFFIXES: Mapping[ExportFormat, str] = {
    "jsonl": "jsonl",
    "csv": "csv",
    "parquet": "parquet",
    "coco": "json",
    "webdataset": "tar",
    "labelstudio": "json",
}
MEDIA_TYPES: Mapping[ExportFormat, str] = {
    "jsonl": "application/x-ndjson",
    "csv": "text/csv",
    "parquet": "application/vnd.apache.parquet",
    "coco": "application/json",
    "webdataset": "application/x-tar",
    "labelstudio": "application/json",
}


def open_shard(form: ExportFormat, path: Path, category_ids: Callable[[str], int]) -> ShardFile:
    """A new file; raises DEPENDENCY_MISSING if a library for it is not installed."""
    if form == "coco":
        return Coco(path, category_ids)
    if form == "parquet":
        return ParquetShard(path)
    kinds: Mapping[str, Callable[[Path], ShardFile]] = {
        "jsonl": JsonLines,
        "csv": CsvRows,
        "webdataset": WebDataset,
        "labelstudio": LabelStudio,
    }
    return kinds[form](path)
