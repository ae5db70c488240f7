"""Runs: images submitted to services, followed to their answers, and cancelled."""

from typing import Annotated, Literal

from fastapi import Query, Request, Response

from gateway.caller import Caller
from gateway.conditions import preferred_wait
from gateway.context import Context, Gateway, Who
from gateway.guard import Operator, Viewer, noun_router
from gateway.idempotency import REPLAYED, IdempotencyKey, digest_of
from gateway.runs.answering import details, result_of, summary
from gateway.runs.shapes import NewRunBody, ResultList, ResultQuery, RunAnswer, RunId, RunList, RunPlan, RunQuery
from windmill.operate.runs.asking import RunAsker
from windmill.operate.runs.planning import plan_run
from windmill.operate.runs.reading import page_of_results, page_of_runs, read_run, wait_until_answered
from windmill.submit.asked_runs import RunRequest
from windmill.submit.selection import Submission

router = noun_router("runs")
URGENT = 1
"""The priority that a key must allow for jobs that overtake others."""


@router.post(
    "/runs",
    status_code=202,
    response_model=RunAnswer,
    responses={200: {"model": RunAnswer | RunPlan, "description": "All is answered, or it was only checked."}},
)
async def make_run(
    request: Request,
    gateway: Context,
    caller: Operator,
    who: Who,
    body: NewRunBody,
    key: IdempotencyKey = None,
    validate_only: Annotated[Literal["true", "false"], Query()] = "false",
) -> Response:
    """Submit images to services. `?validate_only=true` only says which; `Prefer: wait=10` answers 200 if all is
    answered so soon."""
    if body.urgent:
        caller.priority(URGENT)
    services = (await gateway.image_fleet.fleet()).select(body.services)
    submission = Submission(tuple(one.name for one in services), body.selection, body.group, urgent=body.urgent)
    pool, settings = gateway.access.pool, gateway.settings
    if validate_only == "true":
        images = await plan_run(pool, settings, submission)
        plan = RunPlan(services=list(submission.services), group=body.group, images_at_most=images)
        return Response(plan.model_dump_json(), media_type="application/json")
    digest = digest_of("POST /runs", body) if key else None
    asked = await RunAsker(pool, settings, who, caller.key).ask(RunRequest(submission, caller.principal, key, digest))
    response = await answer_run(request, gateway, caller, asked.run_id, accepted=True)
    if asked.replayed:
        response.headers[REPLAYED] = "true"
    return response


@router.get("/runs")
async def list_runs(gateway: Context, caller: Viewer, query: Annotated[RunQuery, Query()]) -> RunList:
    """Your runs, the newest first; administrators see all, also those of producers."""
    wanted = {"list": "runs", "sees": caller.sees}
    before = gateway.cursors.open(wanted, query.cursor)
    found = await page_of_runs(gateway.access.pool, gateway.settings, before, query.limit, caller.sees)
    last = found[-1].run_id if len(found) == query.limit else None
    runs = [summary(one) for one in found]
    return RunList(runs=runs, count=len(runs), next_cursor=gateway.cursors.seal_next(wanted, last))


@router.get("/runs/{run_id}", response_model=RunAnswer)
async def show_run(request: Request, gateway: Context, caller: Viewer, run_id: RunId) -> Response:
    """How far a run is. `Prefer: wait=10` answers once all is answered, or after so long."""
    return await answer_run(request, gateway, caller, run_id, accepted=False)


@router.post("/runs/{run_id}/cancel", status_code=202, response_model=RunAnswer)
async def cancel(gateway: Context, caller: Operator, who: Who, run_id: RunId) -> RunAnswer:
    """Publish no more of it. What is in the queues already is answered; 409 if that is all of it."""
    await RunAsker(gateway.access.pool, gateway.settings, who).cancel(run_id, caller.sees)
    run = await read_run(gateway.access.pool, gateway.settings, run_id, caller.sees)
    return RunAnswer(run=await details(gateway, run))


@router.get("/runs/{run_id}/results")
async def list_results(
    gateway: Context, caller: Viewer, run_id: RunId, query: Annotated[ResultQuery, Query()]
) -> ResultList:
    """The images of a run that were published, in the order of their ids, each with what the run's services have said
    of it by now, and with the boxes and votes of all answers about it."""
    pool, settings = gateway.access.pool, gateway.settings
    run = await read_run(pool, settings, run_id, caller.sees)
    wanted = {"list": "results", "sees": caller.sees, "run": run_id}
    after = gateway.cursors.open(wanted, query.cursor)
    found = await page_of_results(pool, settings, run, after, query.limit)
    last = found[-1].image.image_id if len(found) == query.limit else None
    results = [result_of(one) for one in found]
    return ResultList(results=results, count=len(results), next_cursor=gateway.cursors.seal_next(wanted, last))


async def answer_run(request: Request, gateway: Gateway, caller: Caller, run_id: int, *, accepted: bool) -> Response:
    """The run as it is now, or once it has its answers if the client waits. A new one that goes on is only accepted."""
    pool, settings, waited = gateway.access.pool, gateway.settings, preferred_wait(request)
    if waited is not None:
        await wait_until_answered(pool, settings, run_id, caller.sees, waited)
    shown = await details(gateway, await read_run(pool, settings, run_id, caller.sees))
    ended = shown.status in ("succeeded", "cancelled")
    status = 202 if accepted and not (waited is not None and ended) else 200
    response = Response(RunAnswer(run=shown).model_dump_json(), status, media_type="application/json")
    if accepted:
        response.headers["Location"] = f"/runs/{run_id}"
    if status == 202:
        response.headers["Retry-After"] = "1"
    if waited is not None:
        response.headers["Preference-Applied"] = f"wait={waited:g}"
    return response
