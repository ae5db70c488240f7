"""One action on many jobs: a page that counts them first, and one that tells how far it is."""

import uuid
from typing import Annotated

from fastapi import Form, Request, Response

from gateway.context import Context, Who
from gateway.guard import Operator, Viewer
from gateway.hiding import hide_paths_within
from gateway.pages.flash import go_on
from gateway.pages.forms import PageForm, local_path
from gateway.pages.jobs.bulk_views import BulkAsked, BulkPreviewView, BulkView, bulk_view
from gateway.pages.page_route import page_router
from gateway.pages.rendering import Shown, changes, page
from windmill.core.errors import WindmillError
from windmill.operate.bulk.asking import BulkAsk, begin_bulk, preview_bulk, show_bulk, undo_bulk
from windmill.operate.bulk.wanted import BulkVerb

router = page_router()


class BulkForm(PageForm):
    """`scope` is ticked, for the jobs in `ids`, or matching, for all that the filters of the list leave."""

    action: BulkVerb
    scope: Annotated[str, Form(pattern="^(ticked|matching)$")] = "ticked"
    ids: Annotated[tuple[uuid.UUID, ...], Form(max_length=1_000)] = ()
    status: Annotated[str, Form(max_length=20)] = ""
    preset: Annotated[str, Form(max_length=200)] = ""
    code: Annotated[str, Form(max_length=200)] = ""
    expect: int | None = None

    @property
    def asked(self) -> BulkAsked:
        ids = self.ids if self.scope == "ticked" else None
        return BulkAsked(self.action, ids, self.status, self.preset, self.code)


@router.post("/ui/jobs/bulk")
async def preview(
    request: Request, gateway: Context, caller: Operator, who: Who, form: Annotated[BulkForm, Form()]
) -> Response:
    """How many jobs it would be. Sent again with that number, it is done."""
    asked, back = form.asked, local_path(form.back, "/ui/jobs")
    if asked.ids == ():
        return go_on(request, back, "Tick jobs first, or choose all that match.", "warn")
    ask = BulkAsk(who, caller.sees, asked.request, asked.ids, form.expect)
    if form.expect is None:
        matched = await preview_bulk(gateway.access, gateway.store, ask)
        view = BulkPreviewView(asked, matched, back)
        return page(request, Shown("jobs/bulk_preview.html", view.title, "jobs", view))
    bulk_id = await begin_bulk(gateway.access, gateway.store, ask)
    gateway.work.bulk.hurry()
    return go_on(request, f"/ui/jobs/bulk/{bulk_id}")


async def _shown(gateway: Context, bulk_id: uuid.UUID, sees: str | None) -> Shown:
    view: BulkView = bulk_view(await show_bulk(gateway.access, bulk_id, sees), hide_paths_within)
    return Shown(
        "jobs/bulk.html", view.title, "jobs", view, live=f"/ui/live/jobs/bulk/{bulk_id}", json=f"/bulk/{bulk_id}"
    )


@router.get("/ui/jobs/bulk/{bulk_id}")
async def show(request: Request, gateway: Context, caller: Viewer, bulk_id: uuid.UUID) -> Response:
    """How far it is, and which jobs refused it."""
    return page(request, await _shown(gateway, bulk_id, caller.sees))


@router.get("/ui/live/jobs/bulk/{bulk_id}")
async def show_changes(request: Request, gateway: Context, caller: Viewer, bulk_id: uuid.UUID) -> Response:
    return changes(request, await _shown(gateway, bulk_id, caller.sees))


@router.post("/ui/jobs/bulk/{bulk_id}/undo")
async def undo(
    request: Request, gateway: Context, caller: Operator, who: Who, bulk_id: uuid.UUID, _: Annotated[PageForm, Form()]
) -> Response:
    """Change back what can be."""
    try:
        await undo_bulk(gateway.access, who, bulk_id, caller.sees)
    except WindmillError as error:
        if error.code != "CONFLICT":
            raise
        return go_on(request, f"/ui/jobs/bulk/{bulk_id}", f"{error.message}. {error.remedy}", "bad")
    gateway.work.bulk.hurry()
    return go_on(request, f"/ui/jobs/bulk/{bulk_id}", "It is being undone.")
