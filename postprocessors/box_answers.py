"""What services said of the boxes of an image takes the place of what they said before."""

from collections.abc import Sequence
from dataclasses import replace

from orjson import Fragment

from postprocessors.box_calls import EnrichmentRetry, EnrichmentRow
from windmill.derive.stored_answers import StoredAnswer, lock_answers, write_answers
from windmill.derive.stored_boxes import StoredBoxes, read_boxes
from windmill.kernels.boxes.crop_regions import VERSION
from windmill.storage.database import Connection
from windmill.storage.queries import queries


async def replace_answers(
    connection: Connection, image_id: int, ended: Sequence[EnrichmentRow | EnrichmentRetry]
) -> None:
    """Only for boxes that still exist; answers about others go."""
    before = (await lock_answers(connection, [image_id])).get(image_id, [])
    merged = (await read_boxes(connection, [image_id])).get(image_id, StoredBoxes())
    numbers = {box.box_key: box.merged_id for box in merged.boxes}
    answered = [one for one in ended if one.box_key in numbers]
    replaced = {(one.box_key, one.service) for one in answered}
    kept = [one for one in before if one.box_key in numbers and (one.box_key, one.service) not in replaced]
    taken = await connection.fetch(queries()["begin_box_answers"], len(answered)) if answered else []
    added = [
        _stored_answer(one, numbers[one.box_key], row["post_id"], row["result_created"])
        for one, row in zip(answered, taken, strict=True)
    ]
    if added or kept != before:
        await write_answers(connection, {image_id: [*kept, *added]})


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
