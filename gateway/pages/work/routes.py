"""A service on its page; and pausing services, steps and everything, as `windmill services` does."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import Form, Query, Request, Response

from gateway.context import Context, Gateway, Who
from gateway.guard import Operator, Viewer
from gateway.pages.flash import go_on
from gateway.pages.forms import local_path
from gateway.pages.page_route import page_router
from gateway.pages.rendering import Shown, changes, page
from gateway.pages.work.forms import CallsForm, Name, PauseForm, WorkForm
from gateway.pages.work.views import service_view
from gateway.services.shapes import ServiceName
from windmill.core.wanted_states import EVERYTHING
from windmill.operate.services import describe_services, find_service
from windmill.operate.status.reading import read_workers
from windmill.operate.wanted_states import Pause, WantedChanges, names_of, read_step_names, read_wanted

router = page_router()


async def _shown(gateway: Gateway, name: str) -> Shown:
    pool, settings, images = gateway.access.pool, gateway.settings, gateway.image_fleet
    fleet, status = await images.fleet(), await images.recent_status()
    service, wanted = find_service(fleet, name), await read_wanted(pool, settings)
    [told] = [one for one in describe_services(fleet, status, wanted) if one["name"] == name]
    [figures] = [one for one in status.services if one.service == name]
    images.history.look()
    workers = await read_workers(pool, settings, [name])
    view = service_view(service, told, figures, wanted, workers, images.history.rates)
    where = f"services/{name}"
    return Shown("work/service.html", name, "overview", view, live=f"/ui/live/{where}", json=f"/{where}")


@router.get("/ui/services/{name}")
async def service(request: Request, gateway: Context, _: Viewer, name: ServiceName) -> Response:
    """One service: how it is, what fails, who works for it, and what people want of it."""
    return page(request, await _shown(gateway, name))


@router.get("/ui/live/services/{name}")
async def service_changes(request: Request, gateway: Context, _: Viewer, name: ServiceName) -> Response:
    """What has changed of it."""
    return changes(request, await _shown(gateway, name))


@router.get("/ui/work/pause")
async def ask_for_reason(request: Request, gateway: Context, _: Operator, name: Annotated[Name, Query()]) -> Response:
    """Why, and for how long."""
    await _names(gateway, name)
    view = {"name": name, "title": _title(name)}
    return page(request, Shown("work/pause.html", f"Pause {_title(name)}", "overview", view))


@router.post("/ui/work/pause")
async def pause(
    request: Request, gateway: Context, _: Operator, who: Who, form: Annotated[PauseForm, Form()]
) -> Response:
    """Begin no more work; what is begun is finished."""
    until = datetime.now(UTC) + timedelta(minutes=form.minutes) if form.minutes else None
    await _changes(gateway, who).pause(await _names(gateway, form.name), Pause(form.reason, until))
    return _done(request, gateway, form, f"{_begun(form.name)} is paused.")


@router.post("/ui/work/resume")
async def resume(
    request: Request, gateway: Context, _: Operator, who: Who, form: Annotated[WorkForm, Form()]
) -> Response:
    """Let it go on."""
    await _changes(gateway, who).resume(await _names(gateway, form.name))
    return _done(request, gateway, form, f"{_begun(form.name)} goes on.")


@router.post("/ui/work/concurrency")
async def set_calls(
    request: Request, gateway: Context, _: Operator, who: Who, form: Annotated[CallsForm, Form()]
) -> Response:
    """Make more or fewer calls at once, unless somebody else has changed it since."""
    names = [find_service(await gateway.image_fleet.fleet(), form.name).name]
    await WantedChanges(gateway.access.pool, gateway.settings, who, form.version).set_concurrency(
        names, form.concurrency
    )
    calls = f"{form.concurrency} calls at once" if form.concurrency else "as many calls at once as configured"
    return _done(request, gateway, form, f"Each process makes {calls} to {form.name}.")


def _title(name: str) -> str:
    return "everything" if name == EVERYTHING else name


def _begun(name: str) -> str:
    """The same where a sentence begins; names of services are left as they are."""
    return "Everything" if name == EVERYTHING else name


def _changes(gateway: Gateway, who: Who) -> WantedChanges:
    return WantedChanges(gateway.access.pool, gateway.settings, who)


async def _names(gateway: Gateway, name: str) -> list[str]:
    steps = await read_step_names(gateway.access.pool, gateway.settings)
    return names_of(await gateway.image_fleet.fleet(), steps, [name])


def _done(request: Request, gateway: Gateway, form: WorkForm, said: str) -> Response:
    gateway.image_fleet.forget_status()
    return go_on(request, local_path(form.back, "/ui/"), said)
