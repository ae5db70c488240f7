"""Keeps the row by which an image is searched for: python -m postprocessors.image_index

Any number of these may run. Each looks for images with a changed answer, box, enrichment or vote, and updates
`image_search` if anything differs. .env.example describes every setting.
"""

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from postprocessors.stage_loop import StageRunner, start
from windmill.core.jsonb import parse_object
from windmill.core.services import Fleet
from windmill.core.settings import Settings
from windmill.core.stages import Stage
from windmill.derive.calibration import load_calibration
from windmill.derive.recompute import RecomputeRunner
from windmill.derive.source_results import SourceResults, read_source_results
from windmill.kernels.indexing.search_row import VERSION, SearchInputs, search_row
from windmill.storage.database import Connection, Pool
from windmill.storage.queries import queries
from windmill.storage.search.rows import SearchRowChange, StoredSearchRow, read_search_rows, write_search_rows


@dataclass(frozen=True)
class IndexSource:
    """The inputs of an image with their digest, and its present row; the digest is None if there are none."""

    results: SourceResults
    size: tuple[int, int] | None
    boxes: tuple[dict[str, Any], ...] | None
    vote: Mapping[str, Any]
    faces_in_crops: tuple[dict[str, Any], ...] | None
    sources: int | None
    row: StoredSearchRow | None


class IndexStage:
    """The stage `index`."""

    stage: Stage = "index"

    def __init__(self, face_services: Iterable[str]) -> None:
        self._face_services = list(face_services)

    async def read(self, connection: Connection, image_ids: Sequence[int]) -> dict[int, IndexSource]:
        sql, ids = queries(), list(image_ids)
        digests = {row["image_id"]: row["sources"] for row in await connection.fetch(sql["read_search_sources"], ids)}
        results = await read_source_results(connection, self.stage, ids)
        sizes = {
            row["image_id"]: (row["width"], row["height"]) for row in await connection.fetch(sql["read_sizes"], ids)
        }
        merged = {row["image_id"] for row in await connection.fetch(sql["find_merged_images"], ids)}
        boxes = _documents(await connection.fetch(sql["read_merged_boxes"], ids), "merged_data")
        votes = _documents(await connection.fetch(sql["read_consensus"], ids), "consensus_data")
        crops = _documents(await connection.fetch(sql["read_face_crops"], ids, self._face_services), "data")
        rows = await read_search_rows(connection, ids)
        return {
            one: IndexSource(
                results=results[one],
                size=results[one].upright_size or sizes.get(one),
                boxes=boxes.get(one, () if one in merged else None),
                vote=next(iter(votes.get(one, ())), {}),
                faces_in_crops=crops.get(one),
                sources=digests[one],
                row=rows.get(one),
            )
            for one in ids
        }

    def compute(self, source: IndexSource) -> SearchRowChange:
        if source.sources is None:
            return SearchRowChange(source.row, None)
        row = search_row(
            SearchInputs(
                answers=source.results.replies,
                boxes=source.boxes,
                vote=source.vote,
                faces_in_crops=source.faces_in_crops,
                size=source.size,
            )
        )
        return SearchRowChange(source.row, StoredSearchRow(row, source.sources, VERSION))

    async def write(self, connection: Connection, computed: Mapping[int, SearchRowChange]) -> int:
        differs = {image_id: one for image_id, one in computed.items() if one.after != one.before}
        await write_search_rows(connection, differs, VERSION)
        return len(differs)


def _documents(rows: Iterable[Any], column: str) -> dict[int, tuple[dict[str, Any], ...]]:
    """The documents of each image in the order of the rows, which are the driver's."""
    found: dict[int, tuple[dict[str, Any], ...]] = {}
    for row in rows:
        found[row["image_id"]] = (*found.get(row["image_id"], ()), parse_object(row[column]))
    return found


def make_runner(pool: Pool, settings: Settings, fleet: Fleet) -> StageRunner:
    votes = load_calibration(settings.calibration).votes
    faces = [name for name in fleet.services if votes.of(name).role == "face"]
    return RecomputeRunner(IndexStage(faces), pool, settings)


if __name__ == "__main__":
    sys.exit(start(__doc__ or "", "image_index", make_runner))
