"""Keeps the row by which an image is searched for: python -m postprocessors.image_index

Any number of these may run. Each looks for images with a changed answer, box, enrichment, vote or hash, and updates
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
from windmill.derive.stored_answers import StoredAnswer, read_answers
from windmill.derive.stored_boxes import read_boxes
from windmill.kernels.indexing.search_row import VERSION, SearchInputs, search_row
from windmill.kernels.indexing.vectors import Vector, vectors_of
from windmill.storage.database import Connection, Pool
from windmill.storage.queries import queries
from windmill.storage.search.rows import SearchRowChange, StoredSearchRow, read_search_rows, write_search_rows
from windmill.storage.search.vectors import Place, VectorChange, read_vector_digests, write_vectors


@dataclass(frozen=True)
class IndexSource:
    """The inputs of an image with their digest, and its present row; the digest is None if there are none."""

    results: SourceResults
    size: tuple[int, int] | None
    boxes: tuple[dict[str, Any], ...] | None
    vote: Mapping[str, Any]
    in_crops: Mapping[str, Sequence[dict[str, Any]]]
    """What services of faces said of crops of persons."""
    sources: int | None
    row: StoredSearchRow | None
    phash: int | None
    vectors: Mapping[Place, int]
    """The digests of those that are there."""


@dataclass(frozen=True)
class IndexChange:
    """What of an image changes."""

    row: SearchRowChange
    vectors: VectorChange


class IndexStage:
    """The stage `index`."""

    stage: Stage = "index"

    def __init__(self, face_services: Iterable[str]) -> None:
        self._face_services = frozenset(face_services)

    async def read(self, connection: Connection, image_ids: Sequence[int]) -> dict[int, IndexSource]:
        sql, ids = queries(), list(image_ids)
        digests = {row["image_id"]: row["sources"] for row in await connection.fetch(sql["read_search_sources"], ids)}
        results = await read_source_results(connection, self.stage, ids)
        sizes = {
            row["image_id"]: (row["width"], row["height"]) for row in await connection.fetch(sql["read_sizes"], ids)
        }
        merged, answered = await read_boxes(connection, ids), await read_answers(connection, ids)
        votes = _documents(await connection.fetch(sql["read_consensus"], ids), "consensus_data")
        vectors = await read_vector_digests(connection, ids)
        pictures = {row["image_id"]: row for row in await connection.fetch(sql["read_hashes"], ids)}
        sizes |= {one: (row["width"], row["height"]) for one, row in pictures.items()}
        rows = await read_search_rows(connection, ids)
        return {
            one: IndexSource(
                results=results[one],
                size=results[one].upright_size or sizes.get(one),
                boxes=tuple(box.data for box in merged[one].boxes) if one in merged else None,
                vote=next(iter(votes.get(one, ())), {}),
                in_crops=self._faces(answered.get(one, ())),
                sources=digests[one],
                row=rows.get(one),
                phash=pictures[one]["phash"] if one in pictures else None,
                vectors=vectors.get(one, {}),
            )
            for one in ids
        }

    def _faces(self, answers: Iterable[StoredAnswer]) -> dict[str, tuple[dict[str, Any], ...]]:
        """What each service said of faces in crops, in the order in which it was."""
        found: dict[str, tuple[dict[str, Any], ...]] = {}
        for one in sorted(answers, key=lambda one: one.post_id):
            if one.service in self._face_services and not one.error_code:
                found[one.service] = (*found.get(one.service, ()), one.reply)
        return found

    def compute(self, source: IndexSource) -> IndexChange:
        vectors = VectorChange.between(source.vectors, _vectors(source))
        if source.sources is None:
            return IndexChange(SearchRowChange(source.row, None), vectors)
        in_crops = [one for each in source.in_crops.values() for one in each]
        row = search_row(
            SearchInputs(
                answers=source.results.replies,
                boxes=source.boxes,
                vote=source.vote,
                faces_in_crops=in_crops or None,
                size=source.size,
                phash=source.phash,
            )
        )
        return IndexChange(SearchRowChange(source.row, StoredSearchRow(row, source.sources, VERSION)), vectors)

    async def write(self, connection: Connection, computed: Mapping[int, IndexChange]) -> int:
        rows = {image_id: one.row for image_id, one in computed.items() if one.row.after != one.row.before}
        await write_search_rows(connection, rows, VERSION)
        await write_vectors(connection, {image_id: one.vectors for image_id, one in computed.items()})
        return len(rows)


def _vectors(source: IndexSource) -> dict[str, list[Vector]]:
    """Of each service that tells some, of the whole picture or of crops."""
    said = {name: [reply] for name, reply in source.results.replies.items()}
    for name, replies in source.in_crops.items():
        said[name] = [*said.get(name, ()), *replies]
    return {name: found for name, replies in sorted(said.items()) if (found := vectors_of(replies))}


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
