"""What services said of the boxes of an image, as it is stored: in one document."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import orjson

from windmill.core.jsonb import parse_objects
from windmill.storage.database import Connection
from windmill.storage.queries import queries


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    """The answer of one service about one box, or its error."""

    box_key: str
    service: str
    post_id: int
    merged_box_id: int
    attempt: int
    final: bool
    version: int
    result_created: str
    data: dict[str, Any] | orjson.Fragment | None = None
    """A Fragment is JSON that is written as it is."""
    error_code: str | None = None
    error_message: str | None = None
    processing_time: float | None = None

    @property
    def status(self) -> str:
        return "error" if self.error_code else "success"

    @property
    def reply(self) -> dict[str, Any]:
        """What the service said, if it is readable."""
        return self.data if isinstance(self.data, dict) else {}


_COLUMNS = tuple(one.name for one in fields(StoredAnswer))


def parse_answers(text: str) -> list[StoredAnswer]:
    """In the order of boxes and services; without those that somebody has made unreadable by hand."""
    answers = (_answer(one) for one in parse_objects(text))
    return sorted((one for one in answers if one), key=lambda one: (one.box_key, one.service))


def _answer(row: dict[str, Any]) -> StoredAnswer | None:
    try:
        found = StoredAnswer(**row)
    except TypeError:
        return None
    is_whole = isinstance(found.box_key, str) and isinstance(found.service, str) and isinstance(found.post_id, int)
    return found if is_whole else None


def render_answers(answers: Iterable[StoredAnswer]) -> str:
    """Without columns that are empty. Answers of one service, which are much alike, stand together: so they compress
    better."""
    ordered = sorted(answers, key=lambda one: (one.service, one.box_key))
    rows = [{name: value for name in _COLUMNS if (value := getattr(one, name)) is not None} for one in ordered]
    return orjson.dumps(rows).decode()


async def read_answers(connection: Connection, image_ids: Sequence[int]) -> dict[int, list[StoredAnswer]]:
    """Of each image that has any."""
    return _by_image(await connection.fetch(queries()["read_box_answers"], list(image_ids)))


async def lock_answers(connection: Connection, image_ids: Sequence[int]) -> dict[int, list[StoredAnswer]]:
    """The same, which nobody else changes until the transaction ends."""
    return _by_image(await connection.fetch(queries()["lock_box_answers"], list(image_ids)))


def _by_image(rows: Iterable[Any]) -> dict[int, list[StoredAnswer]]:
    return {row["image_id"]: parse_answers(row["answers"]) for row in rows}


async def write_answers(connection: Connection, answers: Mapping[int, Sequence[StoredAnswer]]) -> None:
    """All answers that each of these images has from now on; an image without any has no row."""
    sql = queries()
    if empty := [image_id for image_id, several in answers.items() if not several]:
        await connection.execute(sql["delete_box_answers"], empty)
    if full := {image_id: render_answers(several) for image_id, several in answers.items() if several}:
        await connection.execute(sql["write_box_answers"], list(full), list(full.values()))


async def delete_answers_of_vanished_boxes(connection: Connection, box_keys: Mapping[int, Collection[str]]) -> None:
    """Of each of these images only answers about the boxes with these keys stay."""
    if not box_keys:
        return
    before = await lock_answers(connection, list(box_keys))
    after = {i: [one for one in several if one.box_key in box_keys[i]] for i, several in before.items()}
    await write_answers(connection, {i: several for i, several in after.items() if several != before[i]})
