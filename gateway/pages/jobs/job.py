"""The page of a job, and what can be asked of it there."""

import uuid
from dataclasses import dataclass, replace
from typing import Annotated

from fastapi import Form, Query, Request, Response

from gateway.caller import Caller
from gateway.context import Context, Gateway, Who
from gateway.guard import Operator, Viewer
from gateway.hiding import hide_paths_within
from gateway.pages.flash import go_on
from gateway.pages.forms import PageForm, local_path
from gateway.pages.jobs.views import LEVELS, JobView, LogView, job_view
from gateway.pages.page_route import page_router
from gateway.pages.rendering import Shown, changes, page
from gateway.shape import Shape
from windmill.core.errors import WindmillError
from windmill.jobs.access import Change
from windmill.jobs.forking import Changes, fork_job
from windmill.jobs.requests import cancel_job, change_priority, pause_job, resume_job
from windmill.jobs.rerunning import rerun_job
from windmill.operate.jobs.job_actions import Request as JobRequest
from windmill.operate.jobs.recorded_change import RecordedChange
from windmill.operate.jobs.serving import ask, remove
from windmill.operate.jobs.whole_job import NEWEST, LogFilter, LogLine, read_log, read_whole_job

router = page_router()
LINES = 30
SOMEBODY = "somebody here"


class LogQuery(Shape):
    """`level` is the least that is shown, `step` the number of a step."""

    level: Annotated[str, Query(pattern="^(debug|info|warning|error)$")] = "info"
    step: Annotated[str, Query(pattern=r"^\d{0,4}$")] = ""
    before: Annotated[int, Query(ge=1, le=2**63 - 1)] = NEWEST

    @property
    def filter(self) -> LogFilter:
        return LogFilter(LEVELS[LEVELS.index(self.level) :], int(self.step) if self.step else None, self.before)

    @property
    def asked(self) -> str:
        return f"level={self.level}&step={self.step}"


@dataclass(frozen=True)
class _Asked:
    request: Request
    gateway: Gateway
    caller: Caller
    job_id: uuid.UUID
    query: LogQuery

    async def shown(self) -> Shown:
        access, sees = self.gateway.access, self.caller.sees
        whole = await read_whole_job(access, self.job_id, sees)
        lines = await read_log(access, self.job_id, sees, self.query.filter, LINES)
        base_url = str(self.request.base_url)
        view: JobView = job_view(whole, self._log(lines), base_url, with_key=self.caller.key is not None)
        more = f"?{self.query.asked}" + ("" if self.query.before == NEWEST else f"&before={self.query.before}")
        live = f"/ui/live/jobs/{self.job_id}{more}"
        return Shown("jobs/job.html", view.line.title, "jobs", view, live=live, json=f"/jobs/{self.job_id}/report")

    def _log(self, lines: list[LogLine]) -> LogView:
        older = f"/ui/jobs/{self.job_id}?{self.query.asked}&before={lines[-1].seq}#h-log" if len(lines) == LINES else ""
        told = tuple(replace(one, said=str(hide_paths_within(one.said))) for one in lines)
        return LogView(told, self.query.level, self.query.step, older)


@router.get("/ui/jobs/{job_id}")
async def job(
    request: Request, gateway: Context, caller: Viewer, job_id: uuid.UUID, query: Annotated[LogQuery, Query()]
) -> Response:
    """All of a job: how far it is, when what ran, what it was given and what it has made."""
    return page(request, await _Asked(request, gateway, caller, job_id, query).shown())


@router.get("/ui/live/jobs/{job_id}")
async def job_changes(
    request: Request, gateway: Context, caller: Viewer, job_id: uuid.UUID, query: Annotated[LogQuery, Query()]
) -> Response:
    """What has changed of it."""
    return changes(request, await _Asked(request, gateway, caller, job_id, query).shown())


class PauseForm(PageForm):
    reason: Annotated[str, Form(max_length=1_000)] = ""


class StepForm(PageForm):
    from_step: Annotated[str, Form(max_length=200)] = ""


class PriorityForm(PageForm):
    priority: Annotated[int, Form(ge=-9, le=9)]


@dataclass(frozen=True)
class _Change:
    """One thing that is asked of a job, and what is said when it is done."""

    request: Request
    gateway: Gateway
    caller: Caller
    who: Who
    job_id: uuid.UUID
    back: str

    async def make(self, action: str, asked: JobRequest[Change], said: str) -> Response:
        """To the job again: what was refused is told there."""
        page_url = f"/ui/jobs/{self.job_id}"
        access = self.gateway.watched(RecordedChange(self.who, action, key=self.caller.key))
        try:
            change = await ask(access, self.job_id, self.caller.sees, asked)
        except WindmillError as error:
            if error.code != "CONFLICT":
                raise
            return go_on(self.request, local_path(self.back, page_url), f"{error.message}. {error.remedy}", "bad")
        if change.public_id != self.job_id:
            return go_on(self.request, f"/ui/jobs/{change.public_id}", said)
        return go_on(self.request, local_path(self.back, page_url), said)


@router.post("/ui/jobs/{job_id}/cancel")
async def cancel(
    request: Request, gateway: Context, caller: Operator, who: Who, job_id: uuid.UUID, form: Annotated[PageForm, Form()]
) -> Response:
    by = who.principal or SOMEBODY
    change = _Change(request, gateway, caller, who, job_id, form.back)
    said = "It is being cancelled: what runs is stopped within seconds."
    return await change.make("jobs.cancel", lambda access, job: cancel_job(access, job, by), said)


@router.post("/ui/jobs/{job_id}/pause")
async def pause(
    request: Request,
    gateway: Context,
    caller: Operator,
    who: Who,
    job_id: uuid.UUID,
    form: Annotated[PauseForm, Form()],
) -> Response:
    by = who.principal or SOMEBODY
    change = _Change(request, gateway, caller, who, job_id, form.back)
    said = "Paused: nothing more of it starts until it is resumed."
    return await change.make("jobs.pause", lambda access, job: pause_job(access, job, by, form.reason, None), said)


@router.post("/ui/jobs/{job_id}/resume")
async def resume(
    request: Request, gateway: Context, caller: Operator, who: Who, job_id: uuid.UUID, form: Annotated[PageForm, Form()]
) -> Response:
    by = who.principal or SOMEBODY
    change = _Change(request, gateway, caller, who, job_id, form.back)
    return await change.make("jobs.resume", lambda access, job: resume_job(access, job, by), "Resumed.")


@router.post("/ui/jobs/{job_id}/retry")
async def retry(
    request: Request, gateway: Context, caller: Operator, who: Who, job_id: uuid.UUID, form: Annotated[StepForm, Form()]
) -> Response:
    step = form.from_step or None
    change = _Change(request, gateway, caller, who, job_id, form.back)
    said = f"It runs again, from {step or 'the step that failed'} on."
    return await change.make("jobs.retry", lambda access, job: rerun_job(access, job, step), said)


@router.post("/ui/jobs/{job_id}/fork")
async def fork(
    request: Request, gateway: Context, caller: Operator, who: Who, job_id: uuid.UUID, form: Annotated[StepForm, Form()]
) -> Response:
    """With the same inputs; for others a job is made anew."""
    differs = Changes(principal=caller.principal)
    change = _Change(request, gateway, caller, who, job_id, form.back)
    said = "A fork: the steps before are copied, the others run anew."
    return await change.make("jobs.fork", lambda access, job: fork_job(access, job, form.from_step, differs), said)


@router.post("/ui/jobs/{job_id}/priority")
async def priority(
    request: Request,
    gateway: Context,
    caller: Operator,
    who: Who,
    job_id: uuid.UUID,
    form: Annotated[PriorityForm, Form()],
) -> Response:
    wanted = caller.priority(form.priority)
    change = _Change(request, gateway, caller, who, job_id, form.back)
    said = f"Its priority is {wanted} from now on."
    return await change.make("jobs.priority", lambda access, job: change_priority(access, job, wanted), said)


@router.post("/ui/jobs/{job_id}/delete")
async def delete(
    request: Request, gateway: Context, caller: Operator, who: Who, job_id: uuid.UUID, _: Annotated[PageForm, Form()]
) -> Response:
    access = gateway.watched(RecordedChange(who, "jobs.delete"))
    await remove(access, job_id, caller.sees, gateway.store)
    return go_on(request, "/ui/jobs", f"Job {str(job_id)[:8]} is deleted, with the files that no other job has.")
