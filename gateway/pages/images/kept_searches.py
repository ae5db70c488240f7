"""What is done with a search: it is kept under a name, forgotten, or exported as a job."""

import uuid
from dataclasses import replace
from typing import Annotated
from urllib.parse import urlencode

from fastapi import Form, Request, Response

from gateway.context import Context, Who
from gateway.guard import Operator
from gateway.pages.flash import go_on
from gateway.pages.forms import PageForm, local_path
from gateway.pages.page_route import page_router
from windmill.core.errors import WindmillError
from windmill.jobs.submitting import submit_job
from windmill.operate.jobs.recorded_change import RecordedChange
from windmill.operate.search.exporting import ExportRequest, export_job
from windmill.operate.search.saved import delete_search, save_search
from windmill.pipelines.export.form import ExportFormat

router = page_router()
IMAGES = "/ui/images"


class SaveForm(PageForm):
    name: Annotated[str, Form(min_length=1, max_length=200)]
    query: Annotated[str, Form(max_length=2_000)] = ""


class ExportForm(PageForm):
    query: Annotated[str, Form(max_length=2_000)] = ""
    format: ExportFormat


@router.post("/ui/searches")
async def keep(
    request: Request, gateway: Context, _: Operator, who: Who, form: Annotated[SaveForm, Form()]
) -> Response:
    """Keep a query under a name; one of this name gives way."""
    back = local_path(form.back, IMAGES)
    try:
        saved, new = await save_search(gateway.access.pool, gateway.settings, who, form.name, form.query)
    except WindmillError as error:
        if error.code != "USAGE":
            raise
        return go_on(request, back, error.message, "bad")
    url = f"{IMAGES}?{urlencode({'query': saved.query})}" if saved.query else IMAGES
    return go_on(request, url, f"{'Kept' if new else 'Changed'} the search {saved.name}.")


@router.post("/ui/searches/{search_id}/forget")
async def forget(
    request: Request,
    gateway: Context,
    caller: Operator,
    who: Who,
    search_id: uuid.UUID,
    form: Annotated[PageForm, Form()],
) -> Response:
    await delete_search(gateway.access.pool, gateway.settings, who, search_id, caller.sees)
    return go_on(request, local_path(form.back, IMAGES), "The search is forgotten.")


@router.post("/ui/exports")
async def export(
    request: Request, gateway: Context, caller: Operator, who: Who, form: Annotated[ExportForm, Form()]
) -> Response:
    """A job that writes what the query finds into files."""
    by, library = caller.principal or "somebody here", await gateway.presets.library()
    asked = ExportRequest(form.query, form.format)
    try:
        job = await export_job(gateway.access, library, asked, caller.sees, by)
    except WindmillError as error:
        if error.code != "USAGE":
            raise
        return go_on(request, local_path(form.back, IMAGES), error.message, "bad")
    new = replace(job, priority=caller.priority(None), principal=caller.principal)
    submitted = await submit_job(gateway.watched(RecordedChange(who, "jobs.create", key=caller.key)), new)
    said = "The export is made: its files appear here as they are written."
    return go_on(request, f"/ui/jobs/{submitted.change.public_id}", said)
