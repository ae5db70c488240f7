"""Starts and stops the work of the whole fleet. No process is killed: what is begun is finished, and workers of all
machines begin nothing else until they are started again. Their processes are the business of systemd."""

from collections.abc import Sequence

from gateway.context import Context, Gateway, Who
from gateway.guard import Operator, noun_router
from gateway.worker_switch.shapes import WorkerAnswer, WorkerStartBody, WorkerStopBody
from windmill.core.wanted_states import EVERYTHING
from windmill.operate.jobs.serving import is_any_step_served
from windmill.operate.wanted_states import Pause, WantedChanges, names_of, read_step_names, read_wanted

router = noun_router("worker")


@router.post("/worker/start")
async def start(gateway: Context, _: Operator, who: Who, body: WorkerStartBody | None = None) -> WorkerAnswer:
    """Let workers go on."""
    names = await _names(gateway, body.services if body else None)
    before = await read_wanted(gateway.access.pool, gateway.settings)
    await WantedChanges(gateway.access.pool, gateway.settings, who).resume(names)
    gateway.image_fleet.forget_status()
    stopped = any(before.own(name).paused for name in names)
    return WorkerAnswer(
        message="started" if stopped else "already running", worker_running=await is_any_step_served(gateway.access)
    )


@router.post("/worker/stop")
async def stop(gateway: Context, _: Operator, who: Who, body: WorkerStopBody | None = None) -> WorkerAnswer:
    """Begin nothing more; what is in hand is finished first."""
    given = body or WorkerStopBody()
    names = await _names(gateway, given.services)
    await WantedChanges(gateway.access.pool, gateway.settings, who).pause(names, Pause(given.reason, given.until))
    gateway.image_fleet.forget_status()
    return WorkerAnswer(message="stopping", worker_running=await is_any_step_served(gateway.access))


async def _names(gateway: Gateway, services: Sequence[str] | None) -> Sequence[str]:
    if services is None:
        return [EVERYTHING]
    steps = await read_step_names(gateway.access.pool, gateway.settings)
    return names_of(await gateway.image_fleet.fleet(), steps, services)
