"""Reading all that there is to see of one image."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from windmill.core.errors import WindmillError
from windmill.core.jsonb import parse_object
from windmill.core.settings import Settings
from windmill.core.stages import STAGES
from windmill.derive.calibration import load_calibration
from windmill.derive.source_results import SourceResults, read_source_results
from windmill.kernels.boxes.box_identity import KnownBox
from windmill.kernels.votes.voting import CropAnswer
from windmill.operate.inspection.answers import InspectedAnswer, awaited_answer, inspected_answer
from windmill.operate.inspection.boxes import InspectedBox, SourceBox, inspected_box, source_boxes
from windmill.operate.inspection.findings import BoxFinding, box_finding
from windmill.operate.inspection.preview import BoxDocuments, StoredInputs, preview_without
from windmill.operate.inspection.votes import VoteChange, VoteTable, compare_votes, vote_table
from windmill.operate.runs.reading import answers_on
from windmill.operate.show.image_report import failure_of, special_of
from windmill.storage.database import Connection, Pool
from windmill.storage.queries import queries
from windmill.storage.transactions import transaction


@dataclass(frozen=True)
class Without:
    """What would change if some services had never been asked. Nothing of it is stored."""

    services: tuple[str, ...]
    votes: tuple[VoteChange, ...]
    boxes_before: int
    boxes_after: int


@dataclass(frozen=True)
class Inspection:
    """`boxes` and `votes` are as stored, or as they would be where there is a `without`. `votes` is None while there
    was no vote; `open_stages` are yet to be recomputed. `answering_id` is the image whose answers these are."""

    image_id: int
    answering_id: int
    name: str
    group: str | None
    image_path: str | None
    image_url: str | None
    size: tuple[int, int] | None
    sources: tuple[SourceBox, ...]
    boxes: tuple[InspectedBox, ...]
    votes: VoteTable | None
    special: Mapping[str, float | None]
    answers: tuple[InspectedAnswer, ...]
    open_stages: tuple[str, ...]
    without: Without | None = None

    @property
    def detectors(self) -> tuple[str, ...]:
        return tuple(sorted({one.service for one in self.sources}))

    @property
    def stand_ins(self) -> tuple[str, ...]:
        """Services whose answers are made up."""
        return tuple(one.service for one in self.answers if one.stand_in)

    @property
    def awaited(self) -> tuple[str, ...]:
        return tuple(one.service for one in self.answers if one.state == "awaited")


@dataclass
class _Stored:
    """What the tables hold of the boxes and the vote of one image."""

    boxes: dict[str, dict[str, Any]] = field(default_factory=dict)
    known: list[KnownBox] = field(default_factory=list)
    crops: list[CropAnswer] = field(default_factory=list)
    findings: dict[str, list[BoxFinding]] = field(default_factory=lambda: defaultdict(list))
    vote: dict[str, Any] | None = None


async def inspect_image(pool: Pool, settings: Settings, image_id: int, without: Sequence[str] = ()) -> Inspection:
    """Raises NOT_FOUND."""
    async with transaction(pool, settings) as connection:
        return await _inspect(connection, settings, image_id, without)


async def _inspect(connection: Connection, settings: Settings, image_id: int, without: Sequence[str]) -> Inspection:
    image = await connection.fetchrow(queries()["inspect_image"], image_id)
    if image is None:
        raise WindmillError("NOT_FOUND", f"there is no image {image_id}", "list the images")
    one: int = image["answering_id"]
    detected = (await read_source_results(connection, "merge", [one]))[one]
    given = (image["width"], image["height"]) if image["width"] and image["height"] else None
    size = detected.upright_size or given
    stored = await _read_stored(connection, one)
    seen = _Seen(source_boxes(detected.replies, size), stored)
    boxes, votes = seen.boxes(stored.boxes), vote_table(stored.vote) if stored.vote is not None else None
    removed = None
    if without:
        inputs = await _inputs(connection, one, detected, size, stored)
        preview = preview_without(inputs, without, load_calibration(settings.calibration))
        after, changed = seen.boxes(preview.boxes), vote_table(preview.vote)
        changes = compare_votes(votes or VoteTable((), ()), changed)
        removed = Without(tuple(without), tuple(changes), len(boxes), len(after))
        boxes, votes = after, changed
    stages = await connection.fetch(queries()["show_open_stages"], [one], list(STAGES))
    return Inspection(
        image_id=image_id,
        answering_id=one,
        name=image["image_filename"],
        group=image["image_group"],
        image_path=image["image_path"],
        image_url=image["image_url"],
        size=size,
        sources=tuple(box for box in seen.sources if box.service not in without),
        boxes=boxes,
        votes=votes,
        special=special_of(stored.vote or {}),
        answers=await _answers(connection, image_id, one),
        open_stages=tuple(row["stage"] for row in stages),
        without=removed,
    )


@dataclass(frozen=True)
class _Seen:
    """The boxes of detectors, beside what is stored."""

    sources: tuple[SourceBox, ...]
    stored: _Stored

    def boxes(self, documents: BoxDocuments) -> tuple[InspectedBox, ...]:
        """The surest first."""
        found = (
            inspected_box(key, data, self.sources, self.stored.findings.get(key, ())) for key, data in documents.items()
        )
        return tuple(sorted((box for box in found if box), key=lambda box: (-box.confidence, box.label, box.key)))


async def _read_stored(connection: Connection, image_id: int) -> _Stored:
    sql, stored = queries(), _Stored()
    for row in await connection.fetch(sql["read_merged_boxes"], [image_id]):
        data = parse_object(row["merged_data"])
        stored.boxes[row["box_key"]] = data
        stored.known.append(KnownBox(row["box_key"], str(data.get("label")), tuple(row["anchor"])))
    for row in await connection.fetch(sql["show_enrichment"], [image_id]):
        data = parse_object(row["data"])
        failure = failure_of(row["error_code"], row["error_message"], final=row["final"])
        stored.findings[row["box_key"]].append(box_finding(row["service"], data, failure))
        stored.crops.append(CropAnswer(row["box_key"], row["service"], "error" if failure else "success", data))
    vote = await connection.fetchrow(sql["show_votes"], [image_id])
    stored.vote = parse_object(vote["consensus_data"]) if vote else None
    return stored


async def _inputs(
    connection: Connection, image_id: int, detected: SourceResults, size: tuple[int, int] | None, stored: _Stored
) -> StoredInputs:
    voiced = (await read_source_results(connection, "consensus", [image_id]))[image_id]
    return StoredInputs(detected, voiced, size, stored.known, stored.crops)


async def _answers(connection: Connection, image_id: int, answering_id: int) -> tuple[InspectedAnswer, ...]:
    """Those that have come, and those that are awaited, by name."""
    [image] = await answers_on(connection, [image_id], None)
    awaited = await connection.fetch(queries()["show_awaited"], answering_id)
    rows = [inspected_answer(one) for one in image.answers] + [awaited_answer(row["service"]) for row in awaited]
    return tuple(sorted(rows, key=lambda one: one.service))


@dataclass(frozen=True)
class Neighbours:
    """The images before and after one in a list that begins with the newest; None at its ends."""

    previous: int | None
    next: int | None


async def find_neighbours(pool: Pool, settings: Settings, image_id: int, group: str | None) -> Neighbours:
    """Among the images of a group, or among all."""
    async with transaction(pool, settings) as connection:
        row = await connection.fetchrow(queries()["find_neighbour_images"], image_id, group)
    assert row
    return Neighbours(row["previous"], row["next"])
