"""One action on many jobs over HTTP. Of jobs that are named each is asked; all that match are changed by the servers,
which go on if whoever looks at them leaves."""

import asyncio
import uuid
from typing import TYPE_CHECKING, Any

from windmill.operate.jobs.job_actions import JobAction
from windmill.operate.jobs.job_filter import JobFilter
from windmill.operate.jobs.many_jobs import ChosenJobs, ManyJobs, RefusedJob, ask_each
from windmill.operate.progress import OnProgress, ProgressUpdate
from windmill.process.runner import pause

if TYPE_CHECKING:
    from windmill.client import AsyncClient

LOOK_SECONDS = 0.5


async def change_chosen(
    client: "AsyncClient", action: JobAction, chosen: ChosenJobs, stop: asyncio.Event, on_progress: OnProgress
) -> ManyJobs:
    if chosen.ids:
        return await _change_named(client, action, chosen, stop, on_progress)
    asked = {"filter": _filter(chosen.matching), "expect": chosen.expect, "dry_run": chosen.preview}
    answer = await _bulk(client, "POST", "/jobs:bulk", {**action.sent, **asked})
    if chosen.preview:
        return ManyJobs(action.verb, answer["matched"], preview=True)
    return await _watch(client, action, answer["bulk"], stop, on_progress)


async def _change_named(
    client: "AsyncClient", action: JobAction, chosen: ChosenJobs, stop: asyncio.Event, on_progress: OnProgress
) -> ManyJobs:
    async def ask(public_id: uuid.UUID) -> None:
        if action.sent["action"] == "delete":
            await client.delete(str(public_id))
        else:
            await client.ask(str(public_id), action.sent["action"], sent_body(action))

    return await ask_each(action, chosen.ids, ask, stop, on_progress)


def sent_body(action: JobAction) -> dict[str, Any] | None:
    """What goes with the action on one job."""
    return {name: one for name, one in action.sent.items() if name != "action"} or None


def _filter(chosen: JobFilter) -> dict[str, Any]:
    older = chosen.older_than.total_seconds() if chosen.older_than is not None else None
    told = {
        "statuses": chosen.statuses,
        "kinds": chosen.kinds,
        "presets": chosen.presets,
        "principals": chosen.principals,
        "error_codes": chosen.error_codes,
        "older_than_seconds": older,
    }
    return {name: one for name, one in told.items() if one is not None}


async def _watch(
    client: "AsyncClient", action: JobAction, bulk: dict[str, Any], stop: asyncio.Event, on_progress: OnProgress
) -> ManyJobs:
    while bulk["status"] == "running" and not stop.is_set():
        on_progress(ProgressUpdate(action.verb, "jobs", bulk["done"] + bulk["refused"], bulk["matched"]))
        await pause(stop, LOOK_SECONDS)
        bulk = (await _bulk(client, "GET", f"/bulk/{bulk['id']}"))["bulk"]
    return _report(action, bulk)


def _report(action: JobAction, bulk: dict[str, Any]) -> ManyJobs:
    from windmill.client.calls import known_code

    told = [RefusedJob(one["job"], known_code(one["error_code"]), one["message"]) for one in bulk["told"]]
    counts = {name: bulk[name] for name in ("matched", "done", "refused")}
    return ManyJobs(action.verb, told=told, interrupted=bulk["status"] == "running", **counts)


async def _bulk(client: "AsyncClient", method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    from windmill.client.calls import Call

    return dict((await client.call(Call(method, path, json=body))).json())
