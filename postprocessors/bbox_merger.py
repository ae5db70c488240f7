"""Merges the boxes of all detectors into one box for each object: python -m postprocessors.bbox_merger

Any number of these may run. Each looks for images with a new or changed answer of a detector, recomputes them, and
updates their row in `merges` if anything differs. .env.example describes every setting.
"""

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from postprocessors.stage_loop import StageRunner, start
from windmill.core.jsonb import normalize_jsonb, render_jsonb, render_list
from windmill.core.services import Fleet
from windmill.core.settings import Settings
from windmill.core.stages import Stage
from windmill.derive.calibration import load_calibration
from windmill.derive.recompute import RecomputeRunner
from windmill.derive.source_results import SourceResults, read_source_results
from windmill.derive.stored_answers import delete_answers_of_vanished_boxes
from windmill.derive.stored_boxes import NEW, StoredBox, parse_boxes, render_boxes
from windmill.kernels.boxes.box_calibration import BoxCalibration
from windmill.kernels.boxes.box_identity import KnownBox, carry_over_keys
from windmill.kernels.boxes.fusion import VERSION, MergedBox, merge
from windmill.storage.database import Connection, Pool
from windmill.storage.queries import queries


@dataclass(frozen=True)
class MergeRow:
    """A row of `merges`: the columns whose change means that it has to be rewritten."""

    source_result_ids: tuple[int, ...]
    services: tuple[str, ...]
    awaiting: tuple[str, ...]
    failed: tuple[str, ...]
    dropped: str
    boxes: int
    box_rows: str
    version: int
    calibration: str


@dataclass(frozen=True)
class MergeSource:
    """The inputs of an image: detector results, image size and the present row with its boxes."""

    results: SourceResults
    size: tuple[int, int] | None
    boxes: tuple[StoredBox, ...]
    row: MergeRow | None


@dataclass(frozen=True)
class MergeOutcome:
    """The row as it should be, beside the present one; None for an image without detector results. A box that is new
    has the number NEW until it is written."""

    source: MergeSource
    boxes: tuple[StoredBox, ...]
    row: MergeRow | None


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
        rows = {row["image_id"]: _row(row) for row in await connection.fetch(sql["read_merges"], ids)}
        boxes = {image_id: parse_boxes(row.box_rows) for image_id, row in rows.items()}
        return {
            one: MergeSource(
                results[one], results[one].upright_size or sizes.get(one), boxes.get(one, ()), rows.get(one)
            )
            for one in ids
        }

    def compute(self, source: MergeSource) -> MergeOutcome:
        results = source.results
        if not results.rows:
            return MergeOutcome(source, (), None)
        predictions = {service: reply.get("predictions") for service, reply in results.replies.items()}
        merged = merge(predictions, self._calibration, source.size)
        boxes = tuple(_numbered(source.boxes, merged.boxes))
        row = MergeRow(
            tuple(results.result_ids),
            tuple(sorted(predictions)),
            tuple(results.awaiting),
            tuple(sorted(results.failed)),
            render_jsonb(merged.dropped),
            len(boxes),
            render_boxes(boxes),
            VERSION,
            self._name,
        )
        return MergeOutcome(source, boxes, row)

    async def write(self, connection: Connection, computed: Mapping[int, MergeOutcome]) -> int:
        sql = queries()
        differs = {image_id: one for image_id, one in computed.items() if one.row != one.source.row}
        if removed := [image_id for image_id, one in differs.items() if not one.row]:
            await connection.execute(sql["delete_merges"], removed)
        boxes = await _with_numbers(connection, {i: one.boxes for i, one in differs.items()})
        rows = [_columns(i, replace(one.row, box_rows=boxes[i])) for i, one in differs.items() if one.row]
        if rows:
            await connection.execute(sql["write_merges"], *map(list, zip(*rows, strict=True)), VERSION, self._name)
        await delete_answers_of_vanished_boxes(
            connection,
            {
                i: {box.box_key for box in one.boxes}
                for i, one in differs.items()
                if {box.box_key for box in one.source.boxes} - {box.box_key for box in one.boxes}
            },
        )
        return len(differs)


def _numbered(known: Sequence[StoredBox], merged: Sequence[MergedBox]) -> Iterable[StoredBox]:
    """The boxes as they should be; one that existed before keeps its box_key and merged_id."""
    numbers = {box.box_key: box.merged_id for box in known}
    old = [KnownBox(box.box_key, str(box.data.get("label")), box.anchor) for box in known]
    for one, (key, anchor) in zip(merged, carry_over_keys(old, merged), strict=True):
        yield StoredBox(numbers.get(key, NEW), key, tuple(anchor), one.as_data())


async def _with_numbers(connection: Connection, boxes: Mapping[int, Sequence[StoredBox]]) -> dict[int, str]:
    """The documents of these boxes, once every box has a number."""
    new = sum(box.merged_id == NEW for several in boxes.values() for box in several)
    taken = await connection.fetch(queries()["next_merged_ids"], new) if new else []
    numbers = iter([row["merged_id"] for row in taken])

    def numbered(box: StoredBox) -> StoredBox:
        return replace(box, merged_id=next(numbers)) if box.merged_id == NEW else box

    return {image_id: render_boxes(map(numbered, several)) for image_id, several in boxes.items()}


def _columns(image_id: int, row: MergeRow) -> tuple[object, ...]:
    return (
        image_id,
        render_list(row.source_result_ids),
        render_list(row.services),
        render_list(row.awaiting),
        render_list(row.failed),
        row.dropped,
        row.boxes,
        row.box_rows,
    )


def _row(row: Any) -> MergeRow:  # noqa: ANN401 - a record of the driver, which only windmill.storage.database knows
    return MergeRow(
        tuple(row["source_result_ids"]),
        tuple(row["services"]),
        tuple(row["awaiting"]),
        tuple(row["failed"]),
        normalize_jsonb(row["dropped"]),
        row["boxes"],
        row["box_rows"],
        row["version"],
        row["calibration"],
    )


def make_runner(pool: Pool, settings: Settings, fleet: Fleet) -> StageRunner:  # noqa: ARG001 - all stages take the same arguments
    calibration = load_calibration(settings.calibration)
    return RecomputeRunner(MergeStage(calibration.boxes, calibration.version), pool, settings)


if __name__ == "__main__":
    sys.exit(start(__doc__ or "", "bbox_merger", make_runner))
