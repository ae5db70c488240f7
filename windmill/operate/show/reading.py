"""Finding an image by its id, path or URL, and reading what is known of it."""

import difflib
import os
from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from windmill.core.errors import WindmillError
from windmill.core.jsonb import parse_object
from windmill.core.messages import Job
from windmill.core.setting_parts import DatabaseSettings
from windmill.core.stages import STAGES
from windmill.operate.show.image_report import (
    BoxAnswer,
    ImageFindings,
    ImageRecord,
    ImageReport,
    ServiceAnswer,
    ShownBox,
    box_of,
    failure_of,
    said_of,
    special_of,
    votes_of,
)
from windmill.storage import database
from windmill.storage.database import Connection
from windmill.storage.queries import queries

NAME = "windmill show"
"""The name of its connection."""
NEAREST_OF = 10_000
"""Among so many of the newest images a name is compared with others, as no index finds names that are alike."""
NEAREST = 3
_LONG_AGO = datetime.fromtimestamp(0, UTC)


async def show_image(settings: DatabaseSettings, image: str, root: Path) -> ImageReport:
    """What is known of the image with this id, path or URL; NOT_FOUND names those that are nearest. A path may start at
    the working directory or at `root`, the IMAGE_ROOT."""
    async with database.connection(settings, NAME) as connection:
        return await read_report(connection, await find_image(connection, image, root))


async def find_image(connection: Connection, image: str, root: Path) -> ImageRecord:
    """The registered image."""
    sql = queries()
    image_id = None
    if image.isascii() and image.isdigit() and 0 < int(image[:20]) < 2**63:
        image_id = int(image)
    elif _storable(image):
        image_id = await connection.fetchval(sql["find_image_by_location"], places_of(image, root))
    row = await connection.fetchrow(sql["show_image_by_id"], image_id)
    if row is None:
        raise await _not_found(connection, image)
    return ImageRecord(**row)


def places_of(image: str, root: Path) -> list[str]:
    """The ways in which the table may have written this path or URL."""
    if "://" in image:
        return [image]
    written = [image, os.path.abspath(image), os.path.realpath(image)]  # noqa: PTH100 - without resolving links
    beneath = os.path.relpath(written[1], root)
    return list(dict.fromkeys([*written, beneath, str(root / image)]))


def _storable(text: str) -> bool:
    """Whether PostgreSQL takes this text; names of files may be any bytes."""
    return "\x00" not in text and text.encode("utf-8", "replace").decode() == text


async def _not_found(connection: Connection, image: str) -> WindmillError:
    sql = queries()
    if image.isascii() and image.isdigit():
        number = min(int(image[:20]), 2**63 - 1)
        near = [str(row["image_id"]) for row in await connection.fetch(sql["nearest_image_ids"], number)]
    else:
        rows = await connection.fetch(sql["newest_image_locations"], NEAREST_OF)
        near = nearest_names(image, [row["place"] for row in rows])
    remedy = f"the nearest are {', '.join(near)}" if near else "register images: python -m producers.images FOLDER"
    shown = Job(1, "", None, image, _LONG_AGO).location if "://" in image else image
    return WindmillError("NOT_FOUND", f"no image {shown!r} is registered", remedy)


def nearest_names(image: str, places: Sequence[str]) -> list[str]:
    """The places whose file names are most like that of the image."""
    by_name: dict[str, str] = {}
    for place in places:
        by_name.setdefault(place.rpartition("/")[2].partition("?")[0], place)
    names = difflib.get_close_matches(image.rpartition("/")[2], by_name, n=NEAREST, cutoff=0.6)
    return [_displayed(by_name[name]) for name in names]


def _displayed(place: str) -> str:
    return Job(1, "", None, place, _LONG_AGO).location if "://" in place else place


async def read_report(connection: Connection, image: ImageRecord) -> ImageReport:
    """Everything that the database knows of the image; of a copy, what it knows of the original."""
    image_id = image.answering_id
    found = (await read_findings(connection, [image_id]))[image_id]
    awaited = await connection.fetch(queries()["show_awaited"], image_id)
    return ImageReport(
        image=image,
        votes=found.votes,
        runners_up=found.runners_up,
        special=found.special,
        calibration=found.calibration,
        boxes=found.boxes,
        answers=await _read_answers(connection, image_id),
        awaited=tuple(row["service"] for row in awaited),
        open_stages=found.open_stages,
    )


async def read_findings(connection: Connection, image_ids: Collection[int]) -> dict[int, ImageFindings]:
    """Boxes and votes of images, which copies have of their originals: as many statements for a page as for one."""
    sql, ids = queries(), list(image_ids)
    votes = {row["image_id"]: row for row in await connection.fetch(sql["show_votes"], ids)}
    boxes = await _read_boxes(connection, ids)
    stages: dict[int, list[str]] = defaultdict(list)
    for row in await connection.fetch(sql["show_open_stages"], ids, list(STAGES)):
        stages[row["image_id"]].append(row["stage"])
    return {one: _findings(votes.get(one), boxes.get(one, ()), stages.get(one, ())) for one in ids}


def _findings(
    vote: Any,  # noqa: ANN401 - the driver's record
    boxes: Sequence[ShownBox],
    stages: Sequence[str],
) -> ImageFindings:
    document = parse_object(vote["consensus_data"]) if vote else {}
    return ImageFindings(
        votes=votes_of(document, "consensus") if vote else None,
        runners_up=votes_of(document, "runners_up"),
        special=special_of(document),
        calibration=vote["calibration"] if vote else None,
        boxes=tuple(boxes),
        open_stages=tuple(stages),
    )


async def _read_answers(connection: Connection, image_id: int) -> tuple[ServiceAnswer, ...]:
    rows = await connection.fetch(queries()["show_results"], image_id)
    return tuple(
        ServiceAnswer(
            row["service"], row["attempt"], row["seconds"], failure_of(row["error_code"], row["error_message"])
        )
        for row in rows
    )


async def _read_boxes(connection: Connection, image_ids: list[int]) -> dict[int, list[ShownBox]]:
    """Those of each image, the surest first."""
    answers: dict[tuple[int, str], list[BoxAnswer]] = defaultdict(list)
    for row in await connection.fetch(queries()["show_enrichment"], image_ids):
        failure = failure_of(row["error_code"], row["error_message"], final=row["final"])
        said = BoxAnswer(row["service"], said_of(parse_object(row["data"])), failure)
        answers[row["image_id"], row["box_key"]].append(said)
    boxes: dict[int, list[ShownBox]] = defaultdict(list)
    for row in await connection.fetch(queries()["show_boxes"], image_ids):
        image_id = row["image_id"]
        boxes[image_id].append(box_of(parse_object(row["merged_data"]), answers[image_id, row["box_key"]]))
    return {one: sorted(found, key=lambda box: -(box.confidence or 0)) for one, found in boxes.items()}
