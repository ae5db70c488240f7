"""Runs: images submitted to services."""

from typing import Annotated

from fastapi import Form, Request, Response

from gateway.caller import Caller
from gateway.context import Context, Gateway, Who
from gateway.guard import Operator, Viewer
from gateway.pages.flash import go_on
from gateway.pages.forms import PageForm
from gateway.pages.page_route import page_router
from gateway.pages.paging import Cursor, older_than
from gateway.pages.rendering import Shown, changes, page
from gateway.pages.runs.views import RunsView, run_line, run_view
from gateway.runs.answering import look_at
from gateway.runs.shapes import RunId
from windmill.operate.runs.asking import RunAsker
from windmill.operate.runs.reading import page_of_runs, read_run

router = page_router()
ROWS = 50


async def _shown_list(gateway: Gateway, caller: Caller, cursor: str | None) -> Shown:
    wanted = {"list": "runs", "sees": caller.sees}
    before = gateway.cursors.open(wanted, cursor)
    found = await page_of_runs(gateway.access.pool, gateway.settings, before, ROWS, caller.sees)
    last = found[-1].run_id if len(found) == ROWS else None
    older = older_than("/ui/runs", gateway.cursors.seal_next(wanted, last))
    view = RunsView([run_line(one) for one in found], older, "/ui/runs" if cursor else "")
    return Shown("runs/list.html", "Runs", "runs", view, live="" if cursor else "/ui/live/runs", json="/runs")


async def _shown(gateway: Gateway, caller: Caller, run_id: int) -> Shown:
    run = await read_run(gateway.access.pool, gateway.settings, run_id, caller.sees)
    counted, outlook = await look_at(gateway, run, gateway.image_fleet.recent_status)
    view = run_view(run, outlook, counted)
    live = f"/ui/live/runs/{run_id}"
    return Shown("runs/page.html", f"Run {run_id}", "runs", view, live=live, json=f"/runs/{run_id}")


@router.get("/ui/runs")
async def list_runs(request: Request, gateway: Context, caller: Viewer, cursor: Cursor = None) -> Response:
    """The newest first."""
    return page(request, await _shown_list(gateway, caller, cursor))


@router.get("/ui/live/runs")
async def list_changes(request: Request, gateway: Context, caller: Viewer) -> Response:
    """What has changed of the first page."""
    return changes(request, await _shown_list(gateway, caller, None))


@router.get("/ui/runs/{run_id}")
async def show_run(request: Request, gateway: Context, caller: Viewer, run_id: RunId) -> Response:
    """How far a run is, service by service."""
    return page(request, await _shown(gateway, caller, run_id))


@router.get("/ui/live/runs/{run_id}")
async def run_changes(request: Request, gateway: Context, caller: Viewer, run_id: RunId) -> Response:
    """What has changed of it."""
    return changes(request, await _shown(gateway, caller, run_id))


@router.post("/ui/runs/{run_id}/cancel")
async def cancel(
    request: Request, gateway: Context, caller: Operator, who: Who, run_id: RunId, _: Annotated[PageForm, Form()]
) -> Response:
    """Publish no more of it."""
    await RunAsker(gateway.access.pool, gateway.settings, who).cancel(run_id, caller.sees)
    return go_on(request, f"/ui/runs/{run_id}", "No more of this run is published; what is in the queues is answered.")
