"""A new job: a preset is chosen, its form filled in and checked, and the job made."""

import uuid
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Any

from fastapi import Query, Request, Response
from fastapi import UploadFile as FormFile
from starlette.datastructures import UploadFile

from gateway.assets.uploads import keep_upload
from gateway.caller import Caller
from gateway.context import Context, Gateway, Who
from gateway.guard import Operator
from gateway.jobs.making import new_job, plan_of
from gateway.jobs.shapes import NewJobBody
from gateway.pages.compose.fields import FormField, fields_of, filled, read_values
from gateway.pages.compose.views import (
    ComposeView,
    Order,
    chooser_view,
    levels_of,
    mistakes_of_fields,
    told_of,
)
from gateway.pages.flash import go_on
from gateway.pages.jobs.listing import OPEN as OPEN_STATES
from gateway.pages.page_route import page_router
from gateway.pages.rendering import Shown, page
from gateway.pages.request_examples import job_request
from gateway.presets.routes import PresetId
from windmill.core.errors import WindmillError
from windmill.jobs.submitting import submit_job
from windmill.operate.jobs.details import read_details
from windmill.operate.jobs.recorded_change import RecordedChange
from windmill.operate.jobs.serving import VisibleJobs, count_visible_jobs
from windmill.operate.preset_times import measure_presets
from windmill.operate.presets import select_presets, select_unavailable
from windmill.pipelines.presets.preset import Preset
from windmill.storage.transactions import transaction

router = page_router()
MOST_COUNTED = 10_000
OPEN = VisibleJobs(OPEN_STATES)
_INPUT, _FILE = "in.", "file."
_REFUSED = ("USAGE", "CONSENT_MISSING", "NOT_FOUND", "MEDIA_TYPE_UNSUPPORTED", "PERMISSION_DENIED", "CONTRACT_MISMATCH")


@router.get("/ui/compose")
async def choose(request: Request, gateway: Context, _: Operator) -> Response:
    """All presets by what they are for."""
    library = await gateway.presets.library()
    found = [one.preset for one in select_presets(library, None, None)]
    view = chooser_view(found, select_unavailable(library, None))
    return page(request, Shown("compose/choose.html", "New job", "jobs", view, json="/presets"))


@dataclass(frozen=True)
class _Filled:
    """What somebody has sent, or what a form begins with."""

    fields: tuple[FormField, ...]
    inputs: Mapping[str, Any] = field(default_factory=dict)
    order: Order = field(default_factory=Order)


@dataclass(frozen=True)
class _Composing:
    """The form of one preset, for one caller."""

    request: Request
    gateway: Gateway
    caller: Caller
    preset: Preset

    async def show(self, given: _Filled, status: int = 200, **more: Any) -> Response:  # noqa: ANN401 - fields of the view
        access = self.gateway.access
        async with transaction(access.pool, access.settings) as rows:
            times = (await measure_presets(rows)).get(self.preset.id, {})
        body: dict[str, Any] = {"preset": self.preset.id, "inputs": dict(given.inputs)}
        body |= {"quality": given.order.quality} if given.order.quality else {}
        body |= {"consent_given": True} if self.preset.consent and given.order.consent_given else {}
        view = ComposeView(
            preset=self.preset,
            told=told_of(self.preset, times),
            fields=given.fields,
            order=given.order,
            levels=levels_of(self.preset, times),
            open_jobs=await count_visible_jobs(access, OPEN, None, MOST_COUNTED),
            example=job_request(str(self.request.base_url), body, with_key=self.caller.key is not None),
            **more,
        )
        json = f"/presets/{self.preset.id}"
        return page(self.request, Shown("compose/form.html", self.preset.name, "jobs", view, json=json), status)

    async def refuse(self, given: _Filled, error: WindmillError) -> Response:
        """The form again, with what is wrong at each field."""
        if error.code not in _REFUSED:
            raise error
        mistakes = mistakes_of_fields(error, [one.name for one in given.fields])
        fields = tuple(replace(one, mistake=mistakes.get(one.name, "")) for one in given.fields)
        return await self.show(
            replace(given, fields=fields),
            422,
            wrong="" if mistakes else error.message,
            remedy="" if mistakes else error.remedy,
            consent_missing=error.code == "CONSENT_MISSING",
        )


async def _composing(request: Request, gateway: Gateway, caller: Caller, preset_id: str) -> _Composing:
    return _Composing(request, gateway, caller, (await gateway.presets.library()).get(preset_id).preset)


@router.get("/ui/compose/{preset_id}")
async def compose(
    request: Request,
    gateway: Context,
    caller: Operator,
    preset_id: PresetId,
    like: Annotated[uuid.UUID | None, Query()] = None,
) -> Response:
    """The form of a preset, filled in as another job was where that is given."""
    composing = await _composing(request, gateway, caller, preset_id)
    fields, order = fields_of(composing.preset), Order(quality=composing.preset.usual_quality)
    if like is None:
        return await composing.show(_Filled(fields, order=order))
    async with transaction(gateway.access.pool, gateway.access.settings) as rows:
        told = await read_details(rows, like, caller.sees)
    order = Order(quality=told["parameters"].get("quality") or order.quality, priority=str(told["priority"]))
    return await composing.show(_Filled(filled(fields, told["inputs"], {}), told["inputs"], order))


@router.post("/ui/compose/{preset_id}")
async def make(request: Request, gateway: Context, caller: Operator, who: Who, preset_id: PresetId) -> Response:
    """Make the job, or only check what it would be."""
    composing = await _composing(request, gateway, caller, preset_id)
    form = await request.form()
    texts: dict[str, list[str]] = defaultdict(list)
    order = _order(form)
    given = _Filled(fields_of(composing.preset), {}, order)
    try:
        for name, value in form.multi_items():
            if name.startswith(_INPUT) and isinstance(value, str):
                texts[name.removeprefix(_INPUT)].append(value)
            elif name.startswith(_FILE) and isinstance(value, UploadFile) and value.filename:
                kept = await keep_upload(gateway, who, FormFile(value.file, filename=value.filename))
                texts[name.removeprefix(_FILE)].insert(0, kept.asset.sha256)
        inputs = read_values(composing.preset, texts)
        given = _Filled(filled(given.fields, inputs, {}), inputs, order)
        body = NewJobBody(
            preset=composing.preset.id,
            inputs=inputs,
            quality=order.quality or None,
            consent_given=order.consent_given,
            priority=_whole("priority", order.priority, -9, 9),
            failure_budget=_whole("failure budget", order.failure_budget, 0, 1_000_000),
        )
        job = await new_job(gateway, caller, body, None, "")
    except WindmillError as error:
        return await composing.refuse(given, error)
    if form.get("check"):
        return await composing.show(given, plan=plan_of(job, await gateway.presets.library()))
    access = gateway.watched(RecordedChange(who, "jobs.create", key=caller.key))
    submitted = await submit_job(access, job)
    return go_on(request, f"/ui/jobs/{submitted.change.public_id}", "The job is made.")


def _order(form: Mapping[str, Any]) -> Order:
    def text(name: str) -> str:
        value = form.get(name)
        return value.strip()[:200] if isinstance(value, str) else ""

    return Order(text("quality"), text("priority") or "0", text("failure_budget") or "0", bool(text("consent")))


def _whole(name: str, text: str, least: int, most: int) -> int:
    number = int(text) if text.lstrip("-").isdigit() and len(text) < 10 else None
    if number is None or not least <= number <= most:
        raise WindmillError("USAGE", f"{name} must be a whole number from {least:,} to {most:,}")
    return number
