"""What services said of the boxes of an image takes the place of what they said before."""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from orjson import Fragment

from postprocessors.box_calls import EnrichmentRetry, EnrichmentRow
from windmill.core.stages import Stage
from windmill.derive.stored_answers import StoredAnswer, parse_answers, write_answers
from windmill.derive.stored_boxes import StoredBox, parse_boxes
from windmill.kernels.boxes.crop_regions import VERSION
from windmill.storage.database import Connection
from windmill.storage.queries import queries


@dataclass(frozen=True)
class BoxNumbers:
    """The number of each box of an image by its key, and the version of the row that told them; none of no row."""

    by_key: Mapping[str, int]
    version: str = ""

    @classmethod
    def of(cls, boxes: Iterable[StoredBox], version: str = "") -> "BoxNumbers":
        return cls({box.box_key: box.merged_id for box in boxes}, version)


NO_BOXES = BoxNumbers({})


@dataclass(frozen=True)
class OpenedAnswers:
    """The answers about the boxes of one image, locked until the transaction ends, and numbers for new ones."""

    boxes: BoxNumbers
    before: list[StoredAnswer]
    numbers: tuple[int, ...]
    now: str


async def open_answers(
    connection: Connection, stage: Stage, image_id: int, token: uuid.UUID, most: int, known: BoxNumbers = NO_BOXES
) -> OpenedAnswers | None:
    """None if the lease is not ours any more. Call it after the image was locked against merges, in a statement before;
    up to `most` answers will be new. Boxes are read again only if they are not those that are `known`."""
    row = await connection.fetchrow(queries()["open_box_answers"], stage, image_id, token, most, known.version)
    if row is None:
        return None
    boxes = known if row["known"] else BoxNumbers.of(parse_boxes(row["box_rows"]) if row["box_rows"] else ())
    before = parse_answers(row["answers"]) if row["answers"] else []
    return OpenedAnswers(boxes, before, tuple(row["post_ids"]), row["result_created"])


async def replace_answers(
    connection: Connection, image_id: int, opened: OpenedAnswers, ended: Sequence[EnrichmentRow | EnrichmentRetry]
) -> bool:
    """Only for boxes that still exist; answers about others go. Returns whether anything changed."""
    places = opened.boxes.by_key
    answered = [one for one in ended if one.box_key in places]
    replaced = {(one.box_key, one.service) for one in answered}
    kept = [one for one in opened.before if one.box_key in places and (one.box_key, one.service) not in replaced]
    added = [
        _stored_answer(one, places[one.box_key], number, opened.now)
        for one, number in zip(answered, opened.numbers, strict=False)
    ]
    changed = bool(added) or kept != opened.before
    if changed:
        await write_answers(connection, {image_id: [*kept, *added]})
    return changed


def _stored_answer(
    one: EnrichmentRow | EnrichmentRetry, merged_box_id: int, post_id: int, result_created: str
) -> StoredAnswer:
    answer = StoredAnswer(
        one.box_key,
        one.service,
        post_id,
        merged_box_id,
        one.attempt,
        isinstance(one, EnrichmentRow),
        VERSION,
        result_created,
        error_code=one.error_code,
        error_message=one.error_message,
    )
    if isinstance(one, EnrichmentRetry):
        return answer
    data = Fragment(one.data) if one.data is not None else None
    return replace(answer, data=data, processing_time=one.processing_time)
