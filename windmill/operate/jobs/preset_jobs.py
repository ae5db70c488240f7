"""Submits what somebody asks of a preset: checks all of it, stores the files that it names, and writes the job."""

from dataclasses import replace

from windmill.core.settings import Settings
from windmill.jobs.access import JobAccess
from windmill.jobs.submitting import submit_job
from windmill.operate.jobs import remote
from windmill.operate.jobs.given_files import GivenFiles, ids_of
from windmill.operate.jobs.job_reruns import find_reruns
from windmill.operate.jobs.preset_orders import PresetOrder, read_order
from windmill.operate.jobs.reading import show_job
from windmill.operate.jobs.shown import Shown
from windmill.operate.over_http import over_http
from windmill.pipelines.job_steps.catalog import STEPS
from windmill.pipelines.presets.preset_job import job_of_request
from windmill.pipelines.presets.preset_library import load_presets
from windmill.pipelines.presets.preset_request import consents_of
from windmill.storage import database
from windmill.storage.artifacts.opening import open_artifact_store


@over_http(remote.submit_preset)
async def submit_preset(settings: Settings, order: PresetOrder) -> Shown:
    """The job. No file is stored of an order that has a mistake in its inputs."""
    library = load_presets(settings.presets_dir)
    preset = library.get(order.preset).preset
    request = read_order(preset, order)
    async with database.pool(settings, "windmill jobs", max_size=1) as pool:
        access = JobAccess(pool, settings, STEPS)
        given = GivenFiles(access, open_artifact_store(settings))
        again = await find_reruns(given, library, request, order.by if order.consent else None)
        job_of_request(request, STEPS, order.engines, again.reruns)
        files = await given.of_order(preset, order.inputs, order.files)
        request = replace(request, inputs={**request.inputs, **ids_of(preset, files)})
        job = replace(
            job_of_request(request, STEPS, order.engines, again.reruns),
            files=[*(file for group in files.values() for file in group), *again.files],
            consents=[*consents_of(request, order.by), *again.consents],
            priority=order.priority,
            idempotency_key=order.key,
        )
        submitted = await submit_job(access, job)
        return await show_job(settings, submitted.change.public_id)
