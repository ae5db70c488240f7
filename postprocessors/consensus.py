"""Lets all services vote on what an image shows: python -m postprocessors.consensus

Any number of these may run. Each looks for images with a changed answer, merged box or enrichment, recomputes them, and
updates `consensus` if anything differs. .env.example describes every setting.
"""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from postprocessors.base import Work, start
from windmill.core.documents import as_json, as_list, as_object
from windmill.core.services import Fleet
from windmill.core.settings import Settings
from windmill.core.stages import Stage
from windmill.derive.answers import Answers, read_answers
from windmill.derive.calibration import load_calibration
from windmill.derive.recompute import Recomputing
from windmill.kernels.votes.vote_calibration import VoteCalibration
from windmill.kernels.votes.voting import VERSION, Enrichment, Inputs, vote
from windmill.storage.database import Connection, Pool
from windmill.storage.queries import queries


@dataclass(frozen=True)
class Verdict:
    """A row of `consensus`, as far as it decides whether the row has to be written."""

    consensus_data: str
    source_result_ids: tuple[int, ...]
    source_merged_ids: tuple[int, ...]
    source_post_ids: tuple[int, ...]
    version: int
    calibration: str


@dataclass(frozen=True)
class Source:
    """All that is known of an image, and what was made of it before."""

    answers: Answers
    boxes: dict[int, dict[str, Any]]
    enrichments: dict[int, Enrichment]
    verdict: Verdict | None


@dataclass(frozen=True)
class Outcome:
    """What is there, and what should be: nothing where nobody has said anything."""

    before: Verdict | None
    verdict: Verdict | None
    processing_time: float


class Voting:
    """The stage `consensus`."""

    stage: Stage = "consensus"

    def __init__(self, calibration: VoteCalibration, calibration_name: str) -> None:
        self._calibration = calibration
        self._name = calibration_name

    async def read(self, connection: Connection, image_ids: Sequence[int]) -> dict[int, Source]:
        sql, ids = queries(), list(image_ids)
        answers = await read_answers(connection, self.stage, ids)
        boxes: dict[int, dict[int, dict[str, Any]]] = {image_id: {} for image_id in ids}
        for row in await connection.fetch(sql["read_merged_boxes"], ids):
            data = as_object(row["merged_data"]) | {"box_key": row["box_key"]}
            boxes[row["image_id"]][row["merged_id"]] = data
        crops: dict[int, dict[int, Enrichment]] = {image_id: {} for image_id in ids}
        for row in await connection.fetch(sql["read_postprocessing"], ids):
            known = Enrichment(row["box_key"], row["service"], row["status"], as_object(row["data"]))
            crops[row["image_id"]][row["post_id"]] = known
        before = {row["image_id"]: _verdict(row) for row in await connection.fetch(sql["read_consensus"], ids)}
        return {one: Source(answers[one], boxes[one], crops[one], before.get(one)) for one in ids}

    def compute(self, source: Source) -> Outcome:
        answers = source.answers
        if not answers.answers:
            return Outcome(source.verdict, None, 0.0)
        total = round(sum(one.processing_time or 0.0 for one in answers.answers if one.error_code is None), 3)
        latest = max(one.created for one in answers.answers)
        inputs = Inputs(
            answers=answers.replies,
            failed=answers.failed,
            awaiting=answers.awaiting,
            boxes=list(source.boxes.values()),
            enrichments=list(source.enrichments.values()),
            total_processing_time=total,
            latest_result_time=latest.isoformat(),
            calibration=self._calibration,
        )
        verdict = Verdict(
            as_json(vote(inputs)),
            tuple(answers.result_ids),
            tuple(sorted(source.boxes)),
            tuple(sorted(source.enrichments)),
            VERSION,
            self._name,
        )
        return Outcome(source.verdict, verdict, total)

    async def write(self, connection: Connection, computed: Mapping[int, Outcome]) -> int:
        sql = queries()
        differs = {image_id: one for image_id, one in computed.items() if one.verdict != one.before}
        if differs:
            await connection.execute(sql["delete_consensus"], list(differs))
        rows = [_row(image_id, one.verdict, one.processing_time) for image_id, one in differs.items() if one.verdict]
        if rows:
            columns = map(list, zip(*rows, strict=True))
            await connection.execute(sql["insert_consensus"], *columns, VERSION, self._name)
        return len(differs)


def _row(image_id: int, verdict: Verdict, processing_time: float) -> tuple[object, ...]:
    return (
        image_id,
        verdict.consensus_data,
        as_list(verdict.source_result_ids),
        as_list(verdict.source_merged_ids),
        as_list(verdict.source_post_ids),
        processing_time,
    )


def _verdict(row: Any) -> Verdict:  # noqa: ANN401 - a record of the driver, which only windmill.storage.database knows
    return Verdict(
        as_json(as_object(row["consensus_data"])),
        tuple(row["source_result_ids"]),
        tuple(row["source_merged_ids"]),
        tuple(row["source_post_ids"]),
        row["version"],
        row["calibration"],
    )


def work(pool: Pool, settings: Settings, fleet: Fleet) -> Work:  # noqa: ARG001 - every stage is made of the same
    calibration = load_calibration(settings.calibration)
    return Recomputing(Voting(calibration.votes, calibration.version), pool, settings)


if __name__ == "__main__":
    sys.exit(start(__doc__ or "", "consensus", work))
