"""The step `export`: a shard is a range of image ids, so a worker that is killed costs one range."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from windmill.core.errors import WindmillError
from windmill.core.image_places import PlaceRules, told_root
from windmill.core.messages import Job
from windmill.core.settings import Settings, load_settings
from windmill.engines.engine import ProducedFile
from windmill.engines.outputs import must_have_room
from windmill.jobs.step import JobView, RunningTask, ShardInput, StepInputs, StepLimits, TaskResult
from windmill.kernels.query.parser import parse_query
from windmill.kernels.query.tokens import QueryInvalid
from windmill.kernels.query.tree import Query
from windmill.kernels.text.json_readers import DocumentInvalid
from windmill.media.image.source import ImageSource
from windmill.pipelines.export import form
from windmill.pipelines.export.form import ExportFormat
from windmill.pipelines.export.records import Record, RecordRules, boxes_of, record_of
from windmill.pipelines.export.shard_files import MEDIA_TYPES, SUFFIXES, ShardFile, open_shard
from windmill.pipelines.job_steps.planned_runs import parameters_of_run
from windmill.pipelines.values import read_values
from windmill.storage import database
from windmill.storage.database import Connection
from windmill.storage.search.exported import (
    ExportedImage,
    next_exported_ids,
    read_exported,
    was_indexed_since,
)
from windmill.storage.search.rows import number_terms

PAGE = 500
LIMITS = StepLimits(concurrency=1, timeout_seconds=86_400)
_EVER = datetime.fromtimestamp(0, UTC)


@dataclass(frozen=True)
class ExportOrder:
    """What is exported into one file."""

    query: Query
    form: ExportFormat
    first: int
    last: int
    min_confidence: float
    since: datetime | None
    of_job: tuple[int, int]
    """The first and the last image id of all its files."""

    @property
    def is_only_one(self) -> bool:
        """Whether the job has no other file."""
        return self.first <= self.of_job[0] and self.of_job[1] <= self.last

    @property
    def is_last_one(self) -> bool:
        return self.of_job[1] <= self.last

    @property
    def since_of_images(self) -> datetime | None:
        """None for Parquet, whose files are written whole."""
        return None if self.form == "parquet" else self.since

    @property
    def name(self) -> str:
        """Sorted by name, files are in the order of their images; a range has the same name in each export."""
        return f"images-{self.first:012d}-{self.last:012d}.{SUFFIXES[self.form]}"


@dataclass
class Exported:
    """What has become of a shard so far. Mutable."""

    images: int = 0
    boxes_left_out: int = 0
    without_picture: int = 0


@dataclass(frozen=True)
class ExportStep:
    """Reads the search rows, boxes and votes of a range, and writes one file of them."""

    settings: Callable[[], Settings] = load_settings
    limits: StepLimits = LIMITS
    name: str = form.NAME
    version: int = form.VERSION
    deterministic: bool = False
    streams: bool = False

    def plan(self, job: JobView, inputs: StepInputs) -> Iterable[ShardInput]:  # noqa: ARG002 - of every step
        given = _values(inputs.parameters["each"][0])
        size = given["shard_images"]
        begin = (given["first_image_id"] - 1) // size * size
        return (
            {"parameters": inputs.parameters["each"][0], "first": first + 1, "last": first + size}
            for first in range(begin, max(given["last_image_id"], begin + 1), size)
        )

    async def run(self, task: RunningTask) -> TaskResult:
        must_have_room(task.scratch)
        order, settings = order_of(task), self.settings()
        path, done = task.scratch / order.name, Exported()
        async with database.connection(settings, "windmill export") as connection:
            if not await _has_changed(connection, order):
                return TaskResult({"images": 0, "unchanged": True})
            await _write(_Shard(connection, settings, order, path), done, task)
            if not done.images:
                path.unlink(missing_ok=True)
                return TaskResult({"images": 0}, warnings=await _said_of_none(connection, order))
        made = ProducedFile(order.name, path, MEDIA_TYPES[order.form])
        output = {"images": done.images, "files": 1, "boxes_left_out": done.boxes_left_out}
        return TaskResult(output, [made], warnings=_said_of(order, done))


def _said_of(order: ExportOrder, done: Exported) -> list[str]:
    """A job shows each text once, so only that of a job with one file has the number of boxes."""
    number = f"{done.boxes_left_out} " if order.is_only_one else ""
    one = order.is_only_one and done.boxes_left_out == 1
    boxes = f"{number}{'box' if one else 'boxes'} below {order.min_confidence:g} {'is' if one else 'are'} left out"
    pictures = f"{done.without_picture} pictures of images {order.first} to {order.last} could not be read"
    return [boxes] * (done.boxes_left_out > 0) + [pictures] * (done.without_picture > 0)


async def _said_of_none(connection: Connection, order: ExportOrder) -> list[str]:
    """The last file of a job tells whether all the others are empty, too."""
    if not order.is_last_one:
        return []
    first, last = order.of_job
    found = await next_exported_ids(connection, order.query, first - 1, last, 1, order.since_of_images)
    return [] if found else ["no image was found, so there is no file"]


def _values(given: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    try:
        return read_values(form.PARAMETERS, given)
    except DocumentInvalid as error:
        raise WindmillError("USAGE", f"export: {error}") from error


def order_of(task: RunningTask) -> ExportOrder:
    """Raises USAGE for a query or a time that cannot be read."""
    given = _values(parameters_of_run(task))
    of_job = given["first_image_id"], given["last_image_id"]
    first, last = max(task.input["first"], of_job[0]), min(task.input["last"], of_job[1])
    try:
        query = parse_query(given["query"])
        since = datetime.fromisoformat(given["since"]) if given.get("since") else None
    except (QueryInvalid, ValueError) as error:
        raise WindmillError("USAGE", f"export: {error}") from error
    if given["format"] == "parquet":
        first, last = task.input["first"], max(last, task.input["last"])
    moment = since.replace(tzinfo=since.tzinfo or UTC) if since else None
    return ExportOrder(query, given["format"], first, last, given["min_confidence"], moment, of_job)


async def _has_changed(connection: Connection, order: ExportOrder) -> bool:
    """A Parquet file is written whole or not at all, as it takes the place of an older one."""
    if order.since is None or order.form != "parquet":
        return True
    return await was_indexed_since(connection, order.first - 1, order.last, order.since)


@dataclass(frozen=True)
class _Shard:
    connection: Connection
    settings: Settings
    order: ExportOrder
    path: Path


async def _write(shard: _Shard, done: Exported, task: RunningTask) -> None:
    order, connection = shard.order, shard.connection
    after, numbers = order.first - 1, _CategoryIds()
    rules = RecordRules(PlaceRules(told_root(shard.settings)), order.min_confidence)
    async with AsyncExitStack() as stack:
        source = await stack.enter_async_context(ImageSource(shard.settings)) if order.form == "webdataset" else None
        file = open_shard(order.form, shard.path, numbers.of)
        stack.callback(file.close)
        while ids := await next_exported_ids(connection, order.query, after, order.last, PAGE, order.since_of_images):
            images = await read_exported(connection, ids)
            records = [record_of(one, rules) for one in images]
            if order.form == "coco":
                await numbers.learn(connection, records)
            pictures = await _pictures(source, images) if source else {}
            await asyncio.to_thread(_add, file, records, pictures)
            done.images += len(records)
            done.boxes_left_out += sum(len(boxes_of(one)) for one in images) - sum(len(one["boxes"]) for one in records)
            done.without_picture += len(records) - len(pictures) if source else 0
            after = ids[-1]
            task.progress((after - order.first + 1) / (order.last - order.first + 1))


def _add(file: ShardFile, records: Sequence[Record], pictures: dict[int, bytes]) -> None:
    file.add(records, pictures)


async def _pictures(source: ImageSource, images: Sequence[ExportedImage]) -> dict[int, bytes]:
    """Those that can be read."""
    found = {}
    for one in images:
        hit = one.hit
        try:
            image_id = hit.image.image_id
            found[image_id] = await source.read(Job(image_id, hit.name, hit.image_path, hit.image_url, _EVER))
        except WindmillError:
            continue
    return found


class _CategoryIds:
    """The numbers of labels in the dictionary, the same in every shard and export. Mutable."""

    def __init__(self) -> None:
        self._known: dict[str, int] = {}

    async def learn(self, connection: Connection, records: Sequence[Record]) -> None:
        labels = {box["label"] for one in records for box in one["boxes"]} - self._known.keys()
        numbers = await number_terms(connection, [("label", one) for one in labels])
        self._known |= {term: number for (_, term), number in numbers.items()}

    def of(self, label: str) -> int:
        return self._known[label]
