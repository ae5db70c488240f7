"""Merges the boxes of all detectors into one box for each object: python -m postprocessors.bbox_merger

Any number of these may run. Each looks for images with a new or changed answer of a detector, recomputes them, and
updates `merged_boxes` if anything differs. .env.example describes every setting.
"""

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from postprocessors.stage_loop import StageRunner, start
from windmill.core.jsonb import normalize_jsonb, parse_object, render_jsonb, render_list
from windmill.core.services import Fleet
from windmill.core.settings import Settings
from windmill.core.stages import Stage
from windmill.derive.calibration import load_calibration
from windmill.derive.recompute import RecomputeRunner
from windmill.derive.source_results import SourceResults, read_source_results
from windmill.kernels.boxes.box_calibration import BoxCalibration
from windmill.kernels.boxes.box_identity import KnownBox, carry_over_keys
from windmill.kernels.boxes.fusion import VERSION, Merged, merge
from windmill.storage.database import Connection, Pool
from windmill.storage.queries import queries


@dataclass(frozen=True)
class MergedBoxRow:
    """A row of `merged_boxes`: the columns whose change means that it has to be rewritten."""

    box_key: str
    anchor: tuple[int, ...]
    source_result_ids: tuple[int, ...]
    merged_data: str
    version: int
    calibration: str


@dataclass(frozen=True)
class MergeRow:
    """A row of `merges`, likewise."""

    source_result_ids: tuple[int, ...]
    services: tuple[str, ...]
    awaiting: tuple[str, ...]
    dropped: str
    boxes: int
    version: int
    calibration: str


@dataclass(frozen=True)
class MergeSource:
    """The inputs of an image: detector results, image size and present rows."""

    results: SourceResults
    size: tuple[int, int] | None
    boxes: dict[int, MergedBoxRow]
    summary: MergeRow | None


@dataclass(frozen=True)
class MergeOutcome:
    """The rows as they should be, beside the present ones; no summary for an image without detector results."""

    source: MergeSource
    boxes: list[tuple[int | None, MergedBoxRow]]
    summary: MergeRow | None


class MergeStage:
    """The stage `merge`."""

    stage: Stage = "merge"

    def __init__(self, calibration: BoxCalibration, calibration_name: str) -> None:
        self._calibration = calibration
        self._name = calibration_name

    async def read(self, connection: Connection, image_ids: Sequence[int]) -> dict[int, MergeSource]:
        sql, ids = queries(), list(image_ids)
        results = await read_source_results(connection, self.stage, ids)
        sizes = {
            row["image_id"]: (row["width"], row["height"]) for row in await connection.fetch(sql["read_sizes"], ids)
        }
        boxes: dict[int, dict[int, MergedBoxRow]] = {image_id: {} for image_id in ids}
        for row in await connection.fetch(sql["read_merged_boxes"], ids):
            boxes[row["image_id"]][row["merged_id"]] = _box(row)
        summaries = {row["image_id"]: _summary(row) for row in await connection.fetch(sql["read_merges"], ids)}
        return {
            one: MergeSource(results[one], results[one].upright_size or sizes.get(one), boxes[one], summaries.get(one))
            for one in ids
        }

    def compute(self, source: MergeSource) -> MergeOutcome:
        results = source.results
        if not results.rows:
            return MergeOutcome(source, [], None)
        predictions = {service: reply.get("predictions") for service, reply in results.replies.items()}
        merged = merge(predictions, self._calibration, source.size)
        result_ids = tuple(results.result_ids)
        summary = MergeRow(
            result_ids,
            tuple(sorted(predictions)),
            tuple(results.awaiting),
            render_jsonb(merged.dropped),
            len(merged.boxes),
            VERSION,
            self._name,
        )
        return MergeOutcome(source, list(self._boxes(source, merged, result_ids)), summary)

    def _boxes(
        self, source: MergeSource, merged: Merged, result_ids: tuple[int, ...]
    ) -> Iterable[tuple[int | None, MergedBoxRow]]:
        """The boxes as they should be; one that existed before keeps its box_key and merged_id."""
        merged_ids = {box.box_key: number for number, box in source.boxes.items()}
        known = [KnownBox(box.box_key, _label(box), box.anchor) for box in source.boxes.values()]
        results = source.results
        more = {"services": sorted(results.replies), "awaiting_services": results.awaiting}
        more |= {"failed_services": sorted(results.failed)}
        for one, (key, anchor) in zip(merged.boxes, carry_over_keys(known, merged.boxes), strict=True):
            data = render_jsonb(one.as_data() | more)
            yield merged_ids.get(key), MergedBoxRow(key, tuple(anchor), result_ids, data, VERSION, self._name)

    async def write(self, connection: Connection, computed: Mapping[int, MergeOutcome]) -> int:
        gone = [(i, number) for i, one in computed.items() for number, box in one.source.boxes.items()
                if (number, box) not in one.boxes]  # fmt: skip
        new = [(i, number, box) for i, one in computed.items() for number, box in one.boxes
               if number is None or one.source.boxes[number] != box]  # fmt: skip
        summaries = {i: one.summary for i, one in computed.items() if one.summary != one.source.summary}
        await _replace_boxes(connection, gone, new, VERSION, self._name)
        await _replace_summaries(connection, summaries, VERSION, self._name)
        return len({i for i, *_ in (*gone, *new)} | summaries.keys())


async def _replace_boxes(
    connection: Connection,
    gone: Sequence[tuple[int, int]],
    new: Sequence[tuple[int, int | None, MergedBoxRow]],
    version: int,
    calibration: str,
) -> None:
    sql = queries()
    if gone:
        await connection.execute(sql["delete_merged_boxes"], *map(list, zip(*gone, strict=True)))
    if new:
        rows = [
            (
                image_id,
                number,
                box.box_key,
                render_list(box.anchor),
                render_list(box.source_result_ids),
                box.merged_data,
            )
            for image_id, number, box in new
        ]
        columns = map(list, zip(*rows, strict=True))
        await connection.execute(sql["insert_merged_boxes"], *columns, version, calibration)
    if gone:
        images = sorted({image_id for image_id, _ in gone})
        await connection.execute(sql["delete_postprocessing_of_vanished_boxes"], images)


async def _replace_summaries(
    connection: Connection, summaries: Mapping[int, MergeRow | None], version: int, calibration: str
) -> None:
    sql = queries()
    rows = [
        (
            image_id,
            render_list(one.source_result_ids),
            render_list(one.services),
            render_list(one.awaiting),
            one.dropped,
            one.boxes,
        )
        for image_id, one in summaries.items()
        if one
    ]
    if summaries:
        await connection.execute(sql["delete_merges"], list(summaries))
    if rows:
        await connection.execute(sql["insert_merges"], *map(list, zip(*rows, strict=True)), version, calibration)


def _box(row: Any) -> MergedBoxRow:  # noqa: ANN401 - a record of the driver, which only windmill.storage.database knows
    return MergedBoxRow(
        row["box_key"],
        tuple(row["anchor"]),
        tuple(row["source_result_ids"]),
        normalize_jsonb(row["merged_data"]),
        row["version"],
        row["calibration"],
    )


def _summary(row: Any) -> MergeRow:  # noqa: ANN401 - as above
    return MergeRow(
        tuple(row["source_result_ids"]),
        tuple(row["services"]),
        tuple(row["awaiting"]),
        normalize_jsonb(row["dropped"]),
        row["boxes"],
        row["version"],
        row["calibration"],
    )


def _label(box: MergedBoxRow) -> str:
    return str(parse_object(box.merged_data).get("label"))


def make_runner(pool: Pool, settings: Settings, fleet: Fleet) -> StageRunner:  # noqa: ARG001 - all stages take the same arguments
    calibration = load_calibration(settings.calibration)
    return RecomputeRunner(MergeStage(calibration.boxes, calibration.version), pool, settings)


if __name__ == "__main__":
    sys.exit(start(__doc__ or "", "bbox_merger", make_runner))
