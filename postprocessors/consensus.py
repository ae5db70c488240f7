"""Computes the consensus of all services on an image: python -m postprocessors.consensus

Any number of these may run. Each looks for images with a changed answer, merged box or enrichment, recomputes them, and
updates its row in `votes` if anything differs. .env.example describes every setting.
"""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from postprocessors.stage_loop import StageRunner, start
from windmill.core.jsonb import render_jsonb, render_list
from windmill.core.services import Fleet
from windmill.core.settings import Settings
from windmill.core.stages import Stage
from windmill.derive.calibration import load_calibration
from windmill.derive.recompute import RecomputeRunner
from windmill.derive.source_results import SourceResults, read_source_results
from windmill.derive.stored_answers import read_answers
from windmill.derive.stored_boxes import read_boxes
from windmill.kernels.votes.vote_calibration import VoteCalibration
from windmill.kernels.votes.voting import VERSION, CropAnswer, VoteInputs, vote
from windmill.storage.database import Connection, Pool
from windmill.storage.queries import queries


@dataclass(frozen=True)
class ConsensusRow:
    """A row of `consensus`: the columns whose change means that it has to be rewritten."""

    consensus_data: str
    source_result_ids: tuple[int, ...]
    source_merged_ids: tuple[int, ...]
    source_post_ids: tuple[int, ...]
    version: int
    calibration: str


@dataclass(frozen=True)
class ConsensusSource:
    """The inputs of an image, and its present row."""

    results: SourceResults
    boxes: dict[int, dict[str, Any]]
    enrichments: dict[int, CropAnswer]
    row: ConsensusRow | None


@dataclass(frozen=True)
class ConsensusOutcome:
    """The row as it should be, beside the present one; None for an image without results."""

    before: ConsensusRow | None
    row: ConsensusRow | None
    processing_time: float


class ConsensusStage:
    """The stage `consensus`."""

    stage: Stage = "consensus"

    def __init__(self, calibration: VoteCalibration, calibration_name: str) -> None:
        self._calibration = calibration
        self._name = calibration_name

    async def read(self, connection: Connection, image_ids: Sequence[int]) -> dict[int, ConsensusSource]:
        sql, ids = queries(), list(image_ids)
        results = await read_source_results(connection, self.stage, ids)
        merged, answered = await read_boxes(connection, ids), await read_answers(connection, ids)
        boxes = {
            image_id: {box.merged_id: box.data | {"box_key": box.box_key} for box in one.boxes}
            for image_id, one in merged.items()
        }
        crops = {
            image_id: {one.post_id: CropAnswer(one.box_key, one.service, one.status, one.reply) for one in several}
            for image_id, several in answered.items()
        }
        before = {row["image_id"]: _present_row(row) for row in await connection.fetch(sql["read_consensus"], ids)}
        return {
            one: ConsensusSource(results[one], boxes.get(one, {}), crops.get(one, {}), before.get(one)) for one in ids
        }

    def compute(self, source: ConsensusSource) -> ConsensusOutcome:
        results = source.results
        if not results.rows:
            return ConsensusOutcome(source.row, None, 0.0)
        total = round(sum(one.processing_time or 0.0 for one in results.rows if one.error_code is None), 3)
        latest = max(one.created for one in results.rows)
        inputs = VoteInputs(
            answers=results.replies,
            failed=results.failed,
            awaiting=results.awaiting,
            boxes=list(source.boxes.values()),
            enrichments=list(source.enrichments.values()),
            total_processing_time=total,
            latest_result_time=latest.isoformat(),
            calibration=self._calibration,
        )
        row = ConsensusRow(
            render_jsonb(vote(inputs)),
            tuple(results.result_ids),
            tuple(sorted(source.boxes)),
            tuple(sorted(source.enrichments)),
            VERSION,
            self._name,
        )
        return ConsensusOutcome(source.row, row, total)

    async def write(self, connection: Connection, computed: Mapping[int, ConsensusOutcome]) -> int:
        sql = queries()
        differs = {image_id: one for image_id, one in computed.items() if one.row != one.before}
        if removed := [image_id for image_id, one in differs.items() if not one.row]:
            await connection.execute(sql["delete_consensus"], removed)
        rows = [_columns(image_id, one.row, one.processing_time) for image_id, one in differs.items() if one.row]
        if rows:
            columns = map(list, zip(*rows, strict=True))
            await connection.execute(sql["write_consensus"], *columns, VERSION, self._name)
        return len(differs)


def _columns(image_id: int, row: ConsensusRow, processing_time: float) -> tuple[object, ...]:
    return (
        image_id,
        row.consensus_data,
        render_list(row.source_result_ids),
        render_list(row.source_merged_ids),
        render_list(row.source_post_ids),
        processing_time,
    )


def _present_row(row: Any) -> ConsensusRow:  # noqa: ANN401 - a record of the driver, which only windmill.storage.database knows
    return ConsensusRow(
        row["consensus_data"],
        tuple(row["source_result_ids"]),
        tuple(row["source_merged_ids"]),
        tuple(row["source_post_ids"]),
        row["version"],
        row["calibration"],
    )


def make_runner(pool: Pool, settings: Settings, fleet: Fleet) -> StageRunner:  # noqa: ARG001 - all stages take the same arguments
    calibration = load_calibration(settings.calibration)
    return RecomputeRunner(ConsensusStage(calibration.votes, calibration.version), pool, settings)


if __name__ == "__main__":
    sys.exit(start(__doc__ or "", "consensus", make_runner))
