"""Selecting which images are submitted to which services, page by page."""

import uuid
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from windmill.core.errors import WindmillError
from windmill.core.messages import Job
from windmill.core.setting_parts import DatabaseSettings
from windmill.storage.database import Connection, translate_errors
from windmill.storage.queries import queries
from windmill.submit.batches import batches

Selection = Literal["new", "missing", "failed", "all"]
PAGE_IMAGES = 1000


@dataclass(frozen=True)
class Submission:
    """The request of the user; `urgent` jobs overtake the others, and `image_ids` selects images by id
    instead of all of them."""

    services: tuple[str, ...]
    selection: Selection
    image_group: str | None
    image_ids: Iterable[int] | None = None
    urgent: bool = False


@dataclass(frozen=True, slots=True)
class ImageJobs:
    """An image and the services to submit it to, perhaps none. `urgent` makes these jobs overtake the others, whatever
    the rest of the submission does."""

    job: Job
    services: tuple[str, ...]
    urgent: bool = False


@dataclass
class ImagePage:
    """Images by ascending id; `absent` are requested ids that are not registered."""

    last: int
    images: list[ImageJobs] = field(default_factory=list)
    absent: list[int] = field(default_factory=list)


class RegisteredImages:
    """Selects from the table `images`."""

    def __init__(self, connection: Connection, settings: DatabaseSettings) -> None:
        self._connection = connection
        self._settings = settings
        self._sql = queries()

    async def require_group(self, group: str) -> None:
        """Raise NOT_FOUND for an unknown group, which would look like a finished one."""
        if await self._connection.fetchval(self._sql["group_exists"], group):
            return
        groups = [row["image_group"] for row in await self._connection.fetch(self._sql["some_groups"])]
        remedy = f"there are: {', '.join(groups)}" if groups else "no image has a group; register with --group"
        raise WindmillError("NOT_FOUND", f"no image has the group {group!r}", remedy)

    async def pages(self, submission: Submission, after: int, until: int) -> AsyncIterator[ImagePage]:
        """The images with ids above `after` up to `until`, or the requested ones; one page in memory at a time."""
        if submission.image_ids is not None:
            for ids in batches(submission.image_ids, PAGE_IMAGES):
                yield await self._page(submission, ids)
            return
        while ids := await self.next_ids(after, until, submission.image_group, PAGE_IMAGES):
            after = ids[-1]
            yield await self._page(submission, ids)

    async def next_ids(self, after: int, until: int, group: str | None, most: int) -> list[int]:
        """The next ids above `after`, of one group or of all."""
        with translate_errors(self._settings):
            rows = await self._connection.fetch(self._sql["next_image_ids"], after, until, group, most)
        return [row["image_id"] for row in rows]

    async def _page(self, submission: Submission, ids: Sequence[int]) -> ImagePage:
        with translate_errors(self._settings):
            rows = await self._connection.fetch(
                self._sql["jobs_for_images"], list(ids), list(submission.services), submission.selection
            )
        absent = sorted(set(ids) - {row["image_id"] for row in rows})
        return ImagePage(ids[-1], image_jobs(rows), absent)


def image_jobs(rows: Iterable[Any]) -> list[ImageJobs]:
    """Jobs for the rows, each with a new trace id."""
    return [ImageJobs(_job(row), tuple(row["services"]), row.get("urgent", False)) for row in rows]


def _job(row: Any) -> Job:  # noqa: ANN401 - a row as the driver has it
    location = (row["image_id"], row["image_filename"], row["image_path"], row["image_url"])
    return Job(*location, row["submitted_at"], uuid.uuid4().hex)
