"""What a producer has to publish, page by page, and the record of how far it came."""

import logging
import uuid
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from typing import Literal, TypeVar

from windmill.database import Connection, converted
from windmill.errors import WindmillError
from windmill.messages import Job
from windmill.queries import queries
from windmill.settings import Settings

Selection = Literal["new", "missing", "failed", "all"]
PAGE_IMAGES = 1000
logger = logging.getLogger(__name__)
T = TypeVar("T")


@dataclass(frozen=True)
class Request:
    """What the user asked for; `image_ids` names images instead of walking all of them."""

    services: tuple[str, ...]
    selection: Selection
    image_group: str | None
    image_ids: Iterable[int] | None = None


@dataclass
class Progress:
    """How far a run is. `run_id` is None for runs that are not recorded: dry ones, and those of named images."""

    run_id: int | None
    until: int
    last: int
    images: int = 0
    jobs: int = 0


@dataclass(frozen=True, slots=True)
class ImageJobs:
    """One image and the services it is to be submitted to, perhaps none."""

    job: Job
    services: tuple[str, ...]


@dataclass
class Page:
    """Images in the order of their ids; `absent` are ids that were named but are not registered."""

    last: int
    images: list[ImageJobs] = field(default_factory=list)
    absent: list[int] = field(default_factory=list)


class Runs:
    """The tables `images` and `runs` as a producer sees them."""

    def __init__(self, connection: Connection, settings: Settings) -> None:
        self._connection = connection
        self._settings = settings
        self._sql = queries()

    async def be_the_only_one(self) -> None:
        """Two producers that walk the same images would submit all of them twice."""
        if not await self._connection.fetchval(self._sql["try_to_be_the_only_producer"]):
            raise WindmillError(
                "BUSY",
                f"another producer is at work on database {self._settings.db_name}",
                "wait until it is done, or stop it: the same command continues where it stopped",
            )

    async def must_have(self, group: str) -> None:
        """A misspelt group would look like one that is all done."""
        if await self._connection.fetchval(self._sql["group_exists"], group):
            return
        groups = [row["image_group"] for row in await self._connection.fetch(self._sql["some_groups"])]
        said = f"there are: {', '.join(groups)}" if groups else "no image has a group; register with --group"
        raise WindmillError("NOT_FOUND", f"no image has the group {group!r}", said)

    async def open(self, request: Request, *, record: bool) -> Progress:
        """Continue the unfinished run of this request, or start one."""
        until = await self._bound()
        services = list(request.services)
        if request.image_ids is not None or not record:
            return Progress(None, until, await self._first(request))
        key = (services, request.selection, request.image_group)
        row = await self._connection.fetchrow(self._sql["continue_run"], *key, until)
        if row is not None:
            said = {"run_id": row["run_id"], "behind_image": row["last_image_id"]}
            logger.info("continuing the run that was interrupted", extra=said)
        else:
            first = await self._first(request)
            if first >= until:
                return Progress(None, until, first)  # nothing was registered since; a timer leaves no trace of this
            row = await self._connection.fetchrow(self._sql["start_run"], *key, first, until)
        assert row is not None
        return Progress(row["run_id"], row["until_image_id"], row["last_image_id"], row["images"], row["jobs"])

    async def _bound(self) -> int:
        async with self._connection.transaction():
            await self._connection.execute(self._sql["wait_for_registrations"])
            return int(await self._connection.fetchval(self._sql["greatest_image_id"]))

    async def _first(self, request: Request) -> int:
        if request.selection != "new":
            return 0
        statement = self._sql["first_unsubmitted_image_id"]
        return int(await self._connection.fetchval(statement, list(request.services), request.image_group))

    async def note(self, progress: Progress, *, finished: bool) -> None:
        if progress.run_id is None:
            return
        with converted(self._settings):
            await self._connection.execute(
                self._sql["note_run_progress"],
                *(progress.run_id, progress.last, progress.images, progress.jobs, finished),
            )

    async def pages(self, request: Request, progress: Progress) -> AsyncIterator[Page]:
        """The images that are still to come, never more than a page of them in memory."""
        if request.image_ids is not None:
            for ids in batches(request.image_ids, PAGE_IMAGES):
                yield await self._page(request, ids)
            return
        last = progress.last
        while ids := await self._next_ids(request, last, progress.until):
            last = ids[-1]
            yield await self._page(request, ids)

    async def _next_ids(self, request: Request, after: int, until: int) -> list[int]:
        with converted(self._settings):
            rows = await self._connection.fetch(
                self._sql["next_image_ids"], after, until, request.image_group, PAGE_IMAGES
            )
        return [row["image_id"] for row in rows]

    async def _page(self, request: Request, ids: Sequence[int]) -> Page:
        with converted(self._settings):
            rows = await self._connection.fetch(
                self._sql["jobs_for_images"], list(ids), list(request.services), request.selection
            )
        page = Page(last=ids[-1])
        now = datetime.now(UTC)
        for row in rows:
            job = Job(row["image_id"], row["image_filename"], row["image_path"], row["image_url"], now, _trace_id())
            page.images.append(ImageJobs(job, tuple(row["services"])))
        page.absent = sorted(set(ids) - {row["image_id"] for row in rows})
        return page


def batches(values: Iterable[T], size: int) -> Iterator[list[T]]:
    """Consecutive lists of at most `size` values."""
    iterator = iter(values)
    while batch := list(islice(iterator, size)):
        yield batch


def _trace_id() -> str:
    return uuid.uuid4().hex
