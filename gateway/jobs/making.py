"""The body of POST /jobs as a job."""

from collections.abc import Collection, Sequence
from dataclasses import replace

from gateway.caller import Caller
from gateway.context import Gateway
from gateway.jobs.shapes import JobPlan, NewJobBody, PlannedStepShape
from windmill.jobs.submitting import NewJob
from windmill.operate.jobs.preset_requests import PresetAsk, job_of_preset
from windmill.pipelines.presets.preset_library import PresetLibrary


async def new_job(gateway: Gateway, caller: Caller, body: NewJobBody, key: str | None, digest: str) -> NewJob:
    """Checked in full; raises what is wrong with it."""
    priority = caller.priority(body.priority)
    library = await gateway.presets.library()
    preset = library.get(body.preset).preset
    ask = PresetAsk(body.inputs, body.quality, body.engines, body.consent_given)
    by = caller.principal or "somebody here"
    job = await job_of_preset(gateway.access, library, preset, ask, caller.sees, by)
    return replace(
        job,
        priority=priority,
        principal=caller.principal,
        idempotency_key=key,
        request_digest=digest if key else None,
        dedupe_key=body.dedupe_key,
        on_duplicate=body.on_duplicate,
        deadline=body.deadline,
        failure_budget=body.failure_budget,
    )


def engine_warnings(job: NewJob, configured: Collection[str] | None) -> list[str]:
    """Which steps will fail unless a worker has engines that this installation does not; None is not known."""
    if configured is None:
        return []
    asked = [step.parameters for step in job.steps if step.skip_reason is None and step.parameters.get("engines")]
    return [
        f"the step {one['name']} asks for {' or '.join(one['engines'])}, of which service_config.json of this gateway "
        f"has none: name others in `engines`, of {', '.join(sorted(configured))}"
        for one in asked
        if not set(one["engines"]) & set(configured)
    ]


def plan_of(job: NewJob, library: PresetLibrary, warnings: Sequence[str] = ()) -> JobPlan:
    """What would be made."""
    assert job.preset
    assert job.preset_version is not None
    quality = str(job.parameters["quality"])
    return JobPlan(
        preset=job.preset,
        preset_version=job.preset_version,
        quality=quality,
        steps=[
            PlannedStepShape(
                name=str(step.parameters.get("name") or step.step), step=step.step, skip_reason=step.skip_reason
            )
            for step in job.steps
        ],
        warnings=list(warnings),
        estimated_seconds=library.get(job.preset).preset.estimated_seconds.get(quality),
    )
