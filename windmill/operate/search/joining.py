"""The files of an export as one file, where the format allows it."""

import shutil
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import orjson

from windmill.core.errors import WindmillError
from windmill.pipelines.export.form import ExportFormat
from windmill.storage.artifacts.files import temporary_file


def join_parts(form: ExportFormat, parts: Sequence[Path], target: Path) -> None:
    """The target appears whole. Raises USAGE for several files of a format that has no larger form."""
    if not parts:
        raise WindmillError("NOT_FOUND", "the query finds nothing, so there is no file")
    if len(parts) > 1 and form in ("parquet", "webdataset"):
        said = f"the export has {len(parts)} files, and {form} is read file by file"
        raise WindmillError("USAGE", said, "name a folder: --to FOLDER")
    with temporary_file(target.parent) as (path, opened):
        if len(parts) == 1:
            _copy(parts[0], opened)
        else:
            _join(form, parts, opened)
        opened.flush()
        path.replace(target)


def _copy(part: Path, opened: IO[bytes]) -> None:
    with part.open("rb") as source:
        shutil.copyfileobj(source, opened)


def _join(form: ExportFormat, parts: Sequence[Path], opened: IO[bytes]) -> None:
    if form == "coco":
        opened.write(orjson.dumps(_joined_coco(map(_document, parts))))
    elif form == "labelstudio":
        opened.write(orjson.dumps([task for part in parts for task in _document(part)]))
    else:
        opened.writelines(_lines(parts, headed=form == "csv"))


def _lines(parts: Iterable[Path], *, headed: bool) -> Iterator[bytes]:
    """A heading stays only at the top."""
    for number, part in enumerate(parts):
        with part.open("rb") as source:
            if headed and number:
                source.readline()
            yield from source


def _joined_coco(documents: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Ids are the same in all parts."""
    joined: dict[str, Any] = {"info": {}, "images": [], "annotations": []}
    categories: dict[int, dict[str, Any]] = {}
    for one in documents:
        joined["info"] = one["info"]
        joined["images"] += one["images"]
        joined["annotations"] += one["annotations"]
        categories |= {category["id"]: category for category in one["categories"]}
    return {**joined, "categories": [categories[number] for number in sorted(categories)]}


def _document(part: Path) -> Any:  # noqa: ANN401 - any JSON
    return orjson.loads(part.read_bytes())
