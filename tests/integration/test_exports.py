"""Exports: what the libraries that they are for read is what the database has, image by image and box by box."""

import asyncio
import csv
import gc
import json
import random
import uuid
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from importlib import import_module
from io import BytesIO
from pathlib import Path
from types import MappingProxyType
from typing import Any

import orjson
import pytest
from PIL import Image

from tests.integration.fleet import Fleet, unavailable
from tests.integration.test_search import fill, made_row
from windmill.core.settings import Settings
from windmill.jobs.step import InputFiles, JobView, StepInputs, TaskResult
from windmill.operate.search.joining import join_parts
from windmill.pipelines.export.form import FORMATS, ExportFormat
from windmill.pipelines.export.step import ExportStep
from windmill.storage import database
from windmill.storage.database import Pool
from windmill.storage.jobs.rows import TaskKey

pytestmark = pytest.mark.database

IMAGES, SHARD = 60, 25
JOB = JobView(uuid.UUID(int=1), "test", {}, {}, "")
BOXES = """
INSERT INTO merged_boxes (image_id, box_key, source_result_ids, merged_data)
SELECT n, k::text, '{}', jsonb_build_object('label', (ARRAY['dog', 'person', 'odd "label"'])[1 + k % 3],
       'confidence', 0.3 + 0.1 * k, 'merged_bbox',
       jsonb_build_object('x', n, 'y', k, 'width', 10 + k, 'height', 20))
FROM generate_series(1, $1::int) AS n, generate_series(1, n % 5) AS k
"""
VOTES = """
INSERT INTO consensus (image_id, consensus_data, source_result_ids)
SELECT n, '{"votes": {"consensus": [{"emoji": "\N{DOG FACE}", "probability": 0.9}]}}', '{}'
FROM generate_series(1, 5) AS n
"""


def library(name: str) -> Any:  # noqa: ANN401 - a module
    try:
        return import_module(name)
    except ImportError as error:
        return unavailable(f"{name} is not installed: {error}")


class Task:
    """A task of the step, in the place of the worker."""

    key, resumed, job, name = TaskKey(1, 0, 0), None, JOB, "1-0-0"
    files: InputFiles = MappingProxyType({})

    def __init__(self, given: Mapping[str, Any], parameters: Mapping[str, Any], scratch: Path) -> None:
        self.input, self.parameters, self.scratch = given, parameters, scratch
        self.cancelled = asyncio.Event()

    def progress(self, done: float) -> None:
        assert 0 <= done <= 1


class Exports:
    """Runs the step as a job would."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        self._step, self._folder = ExportStep(lambda: settings), folder

    async def run(self, form: ExportFormat, **given: Any) -> list[tuple[TaskResult, Path | None]]:  # noqa: ANN401 - JSON
        values = {"format": form, "last_image_id": IMAGES, "shard_images": SHARD, **given}
        step = {"each": [values]}
        done = []
        for number, one in enumerate(self._step.plan(JOB, StepInputs(step, {}))):
            scratch = self._folder / f"{form}-{number}-{uuid.uuid4().hex[:6]}"
            scratch.mkdir()
            result = await self._step.run(Task(one, step, scratch))
            assert isinstance(result, TaskResult)
            done.append((result, result.artifacts[0].path if result.artifacts else None))
        return done

    async def files(self, form: ExportFormat, **given: Any) -> list[Path]:  # noqa: ANN401 - JSON
        return [path for _, path in await self.run(form, **given) if path]


@pytest.fixture
async def pool(settings: Settings) -> AsyncIterator[Pool]:
    async with database.pool(settings, "test", max_size=4) as opened:
        yield opened


@pytest.fixture
async def exports(fleet: Fleet, pool: Pool, settings: Settings, tmp_path: Path) -> Exports:
    dice = random.Random(9)
    await fill(fleet, pool, {one: made_row(dice) for one in range(1, IMAGES + 1)})
    await fleet.rows.execute(BOXES, IMAGES)
    await fleet.rows.execute(VOTES)
    root = tmp_path / "pictures"
    root.mkdir()
    for number in range(1, 11):
        file = BytesIO()
        Image.new("RGB", (8, 8), "red").save(file, "PNG" if number % 2 else "JPEG")
        (root / f"{number}.jpg").write_bytes(file.getvalue())
    await fleet.rows.execute("UPDATE images SET image_path = $1 || image_id || '.jpg'", f"{root}/")
    return Exports(replace(settings, image_root=root), tmp_path)


async def expected(fleet: Fleet) -> dict[int, dict[str, Any]]:
    """Straight from the tables."""
    rows = await fleet.rows.fetch(
        "SELECT s.*, i.image_filename AS name, i.image_group,"
        " ARRAY (SELECT t.term FROM unnest(s.labels) WITH ORDINALITY AS l (term_id, place)"
        " JOIN search_terms AS t USING (term_id) ORDER BY place) AS words,"
        " (SELECT coalesce(jsonb_agg(merged_data || jsonb_build_object('id', merged_id) ORDER BY merged_id), '[]')"
        " FROM merged_boxes AS b WHERE b.image_id = s.image_id AND (merged_data ->> 'confidence')::float8 >= 0.5)::text"
        " AS found FROM image_search AS s JOIN images AS i USING (image_id) ORDER BY image_id"
    )
    return {row["image_id"]: {**row, "found": orjson.loads(row["found"])} for row in rows}


def compared(record: Mapping[str, Any], row: Mapping[str, Any]) -> None:
    """A record with its row."""
    names = ("name", "width", "height", "persons", "faces", "text")
    assert {one: record[one] for one in names} == {one: row[one] for one in names}
    assert record["group"] == row["image_group"]
    assert record["nsfw"] == (None if row["nsfw"] is None else row["nsfw"] / 1000)
    assert [one["label"] for one in record["labels"]] == row["words"]
    assert [round(1000 * one["probability"]) for one in record["labels"]] == row["label_p"]
    assert [(one["box_id"], one["label"], one["x"], one["width"]) for one in record["boxes"]] == [
        (one["id"], one["label"], one["merged_bbox"]["x"], one["merged_bbox"]["width"]) for one in row["found"]
    ]


async def test_json_lines_and_csv_have_every_image_once_and_join(
    fleet: Fleet, exports: Exports, tmp_path: Path
) -> None:
    rows = await expected(fleet)
    parts = await exports.files("jsonl")
    assert [part.name for part in parts] == [
        f"images-{first:012d}-{min(first + SHARD - 1, IMAGES):012d}.jsonl" for first in (1, 26, 51)
    ]
    join_parts("jsonl", parts, tmp_path / "all.jsonl")
    records = [orjson.loads(line) for line in (tmp_path / "all.jsonl").read_bytes().splitlines()]
    assert [one["image_id"] for one in records] == list(rows)
    for record in records:
        compared(record, rows[record["image_id"]])
    assert records[0]["votes"] == [{"emoji": "\N{DOG FACE}", "probability": 0.9}]
    assert records[0]["location"] == "1.jpg", "paths are told from IMAGE_ROOT on"
    join_parts("csv", await exports.files("csv"), tmp_path / "all.csv")
    with (tmp_path / "all.csv").open(encoding="utf-8", newline="") as file:
        read = list(csv.DictReader(file))
    assert [(one["image_id"], json.loads(one["boxes"])) for one in read] == [
        (str(one["image_id"]), one["boxes"]) for one in records
    ]


async def test_a_query_decides_and_since_leaves_out_what_is_older(fleet: Fleet, exports: Exports) -> None:
    (part, *_) = await exports.files("jsonl", query="label:dog id:..9", shard_images=1_000)
    found = [orjson.loads(line)["image_id"] for line in part.read_bytes().splitlines()]
    rows = await expected(fleet)
    assert found == [one for one in range(1, 10) if "dog" in rows[one]["words"]] != []
    await fleet.rows.execute("UPDATE image_search SET indexed_at = '2020-01-01Z' WHERE image_id NOT IN (30, 31)")
    (part,) = await exports.files("jsonl", since="2021-01-01")
    assert [orjson.loads(line)["image_id"] for line in part.read_bytes().splitlines()] == [30, 31]
    outcomes = await exports.run("parquet", since="2021-01-01")
    assert [bool(path) for _, path in outcomes] == [False, True, False]


async def test_duckdb_and_pyarrow_read_parquet(fleet: Fleet, exports: Exports, tmp_path: Path) -> None:
    library("pyarrow")
    parquet, duckdb = library("pyarrow.parquet"), library("duckdb")
    rows, parts = await expected(fleet), await exports.files("parquet")
    assert [part.name for part in parts][-1] == "images-000000000051-000000000075.parquet"
    folder = tmp_path / "images"
    folder.mkdir()
    for part in parts:
        part.rename(folder / part.name)
    records = [one for part in sorted(folder.iterdir()) for one in parquet.read_table(part).to_pylist()]
    assert [one["image_id"] for one in records] == list(rows)
    for record in records:
        compared(record, rows[record["image_id"]])
        assert record["taken"] == rows[record["image_id"]]["taken"]
    counted = duckdb.sql(
        f"SELECT box.label, count(*) FROM '{folder}/*.parquet', unnest(boxes) AS one (box) GROUP BY ALL ORDER BY 1"
    ).fetchall()
    labels = [box["label"] for row in rows.values() for box in row["found"]]
    assert counted == [(one, labels.count(one)) for one in sorted(set(labels))]


async def test_pycocotools_reads_coco(fleet: Fleet, exports: Exports, tmp_path: Path) -> None:
    coco = library("pycocotools.coco")
    await fleet.rows.execute(
        "UPDATE images SET image_filename = '1.jpg', image_path = replace(image_path, '/2.jpg', '/trip/1.jpg'),"
        " image_url = CASE image_id WHEN 3 THEN 'https://u:hunter22@h/1.jpg' END WHERE image_id IN (2, 3)"
    )
    await fleet.rows.execute(
        "UPDATE images SET image_path = CASE image_id WHEN 4 THEN '/4.jpg' END WHERE image_id IN (3, 4)"
    )
    rows, target = await expected(fleet), tmp_path / "all.json"
    join_parts("coco", await exports.files("coco"), target)
    read = coco.COCO(str(target))
    assert sorted(read.getImgIds()) == list(rows)
    names = [read.imgs[one]["file_name"] for one in rows]
    assert names[:5] == ["1.jpg", "trip/1.jpg", "3/1.jpg", "4/4.jpg", "5.jpg"]
    assert len(set(names)) == len(names)
    assert [one["coco_url"] for one in read.imgs.values() if "coco_url" in one] == ["https://h/1.jpg"]
    for image_id, row in rows.items():
        found = sorted(read.loadAnns(read.getAnnIds(imgIds=[image_id])), key=lambda one: one["id"])
        assert [(one["id"], read.cats[one["category_id"]]["name"], one["bbox"][0], one["area"]) for one in found] == [
            (one["id"], one["label"], one["merged_bbox"]["x"], one["merged_bbox"]["width"] * 20) for one in row["found"]
        ]
    results = read.loadRes([{key: one[key] for key in ("image_id", "category_id", "bbox", "score")}
                            for one in read.dataset["annotations"]])  # fmt: skip
    assert len(results.getAnnIds()) == sum(len(one["found"]) for one in rows.values())


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # the library leaves files open
async def test_webdataset_reads_pictures_with_their_records(fleet: Fleet, exports: Exports) -> None:
    webdataset = library("webdataset")
    rows, outcomes = await expected(fleet), await exports.run("webdataset")
    paths = [str(path) for _, path in outcomes if path]
    found = list(webdataset.WebDataset(paths, shardshuffle=False))
    gc.collect()
    assert [int(one["__key__"].rsplit("/", 1)[-1]) for one in found] == list(rows)
    for one in found:
        compared(record := orjson.loads(one["json"]), rows[record["image_id"]])
    pictures = {int(one["__key__"]): kind for one in found for kind in ("jpg", "png") if kind in one}
    assert pictures == {number: "png" if number % 2 else "jpg" for number in range(1, 11)}
    assert outcomes[0][0].warnings == [
        "boxes below 0.5 are left out", "15 pictures of images 1 to 25 could not be read",
    ]  # fmt: skip


async def test_label_studio_gets_boxes_in_percent(fleet: Fleet, exports: Exports, tmp_path: Path) -> None:
    rows, target = await expected(fleet), tmp_path / "all.json"
    join_parts("labelstudio", await exports.files("labelstudio"), target)
    tasks = json.loads(target.read_bytes())
    assert [one["data"]["image_id"] for one in tasks] == list(rows)
    for task in tasks:
        row, (prediction,) = rows[task["data"]["image_id"]], task["predictions"]
        wanted = row["found"] if row["width"] and row["height"] else []
        assert [one["value"]["x"] for one in prediction["result"]] == [
            pytest.approx(100 * one["merged_bbox"]["x"] / row["width"]) for one in wanted
        ]


async def test_a_query_that_finds_nothing_makes_no_file(fleet: Fleet, exports: Exports) -> None:
    for form in FORMATS:
        if form != "parquet" or library("pyarrow"):
            outcomes = await exports.run(form, query="label:unicorn")
            assert [path for _, path in outcomes] == [None] * 3
            assert [one.warnings for one, _ in outcomes] == [[], [], ["no image was found, so there is no file"]]
    ((nothing, path),) = await exports.run("coco", last_image_id=0)
    assert (list(nothing.warnings), path) == (["no image was found, so there is no file"], None)
    *_, (empty, path) = await exports.run("coco", query="id:1")
    assert (list(empty.warnings), path) == ([], None), "another file has it"


async def test_a_warning_tells_how_many_boxes_are_left_out(fleet: Fleet, exports: Exports) -> None:
    confidence = "SELECT count(*) FROM merged_boxes WHERE (merged_data ->> 'confidence')::float8"
    for given, limit in ({}, 0.5), ({"min_confidence": 0.65}, 0.65), ({"min_confidence": 0}, 0):
        count = await fleet.rows.fetchval(f"{confidence} < $1", limit)
        ((whole, _),) = await exports.run("coco", shard_images=1_000, **given)
        assert list(whole.warnings) == ([f"{count} boxes below {limit} are left out"] if count else [])
        assert whole.output["boxes_left_out"] == count
        parts = [one for one, _ in await exports.run("csv", **given)]
        assert {text for one in parts for text in one.warnings} == (
            {f"boxes below {limit} are left out"} if count else set()
        )
        assert sum(one.output["boxes_left_out"] for one in parts) == count
