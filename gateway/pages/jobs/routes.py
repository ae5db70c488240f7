"""The list of jobs, with filters in its address."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Query, Request, Response

from gateway.caller import Caller
from gateway.context import Context, Gateway
from gateway.guard import Viewer
from gateway.pages.jobs.listing import MOST_COUNTED, JobFilters, JobsView, job_lines
from gateway.pages.page_route import page_router
from gateway.pages.rendering import Shown, changes, page
from gateway.shape import Cursor, Shape
from windmill.operate.jobs.serving import count_visible_jobs, page_of_jobs

router = page_router()
LINES = 50


class JobsQuery(Shape):
    """`shown` is where the page begins that somebody looks at: what is newer is told, and not pushed in."""

    status: Annotated[str, Query(max_length=20)] = ""
    preset: Annotated[str, Query(max_length=200)] = ""
    code: Annotated[str, Query(max_length=200)] = ""
    cursor: Cursor | None = None
    shown: Cursor | None = None

    @property
    def filters(self) -> JobFilters:
        return JobFilters(self.status, self.preset, self.code)


@dataclass(frozen=True)
class _Asked:
    gateway: Gateway
    caller: Caller
    query: JobsQuery

    async def shown(self) -> Shown:
        gateway, sees, filters = self.gateway, self.caller.sees, self.query.filters
        wanted = {"list": "job pages", "sees": sees, **filters.asked}
        before = gateway.cursors.open(wanted, self.query.shown or self.query.cursor)
        found = await page_of_jobs(gateway.access, filters.visible, before, LINES, sees)
        matching = await count_visible_jobs(gateway.access, filters.visible, sees, MOST_COUNTED)
        is_first = self.query.cursor is None
        newer = 0
        if is_first and self.query.shown:
            newer = await count_visible_jobs(gateway.access, filters.visible, sees, MOST_COUNTED, found.first)
        cursor = gateway.cursors.seal_next(wanted, found.last)
        view = JobsView(
            lines=job_lines(found.jobs),
            filters=filters,
            matching=matching,
            newer=newer,
            presets=tuple((await gateway.presets.library()).found),
            next_url=filters.url(cursor=cursor) if cursor else "",
            first_url="" if is_first else filters.url(),
        )
        place = self.query.cursor or (gateway.cursors.seal(wanted, found.first + 1) if found.first else "")
        live = filters.url(**{"cursor" if self.query.cursor else "shown": place}).replace("/ui/", "/ui/live/", 1)
        return Shown("jobs/list.html", "Jobs", "jobs", view, live=live, json="/jobs")


@router.get("/ui/jobs")
async def jobs(request: Request, gateway: Context, caller: Viewer, query: Annotated[JobsQuery, Query()]) -> Response:
    """The newest jobs that match."""
    return page(request, await _Asked(gateway, caller, query).shown())


@router.get("/ui/live/jobs")
async def jobs_changes(
    request: Request, gateway: Context, caller: Viewer, query: Annotated[JobsQuery, Query()]
) -> Response:
    """What has changed of those that are shown, and how many have come."""
    return changes(request, await _Asked(gateway, caller, query).shown())
