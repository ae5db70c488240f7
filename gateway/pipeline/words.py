"""Presets, jobs and files in the words of the pipeline manager. Pure."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from gateway.errors import hide_paths
from gateway.pipeline.shapes import (
    GenerateResponse,
    PipelineArtifact,
    PipelineJob,
    PipelineLog,
    PipelineStatus,
    PresetStepShape,
    WorkflowPreset,
)
from gateway.request_words import PIPELINE_CODES
from windmill.core.errors import WindmillError
from windmill.operate.jobs.outlines import JobOutline, MadeFile
from windmill.operate.presets import engines_of, render_condition
from windmill.pipelines.presets.preset import ENGINE, Preset, PresetStep
from windmill.pipelines.presets.preset_library import PresetLibrary
from windmill.pipelines.values import ValueType

WORDS: Mapping[str, PipelineStatus] = {
    "queued": "queued",
    "paused": "queued",
    "running": "running",
    "waiting": "running",
    "cancelling": "running",
    "deleting": "completed",
    "succeeded": "completed",
    "failed": "failed",
    "cancelled": "cancelled",
    "expired": "failed",
}
_TYPES: Mapping[ValueType, str] = {
    "text": "str",
    "integer": "int",
    "seed": "int",
    "number": "float",
    "boolean": "bool",
    "choice": "str",
    "images": "list[str]",
}
BUILT_IN = "windmill"
"""What runs a step that needs no engine."""


def workflow(preset: Preset) -> WorkflowPreset:
    """A preset."""
    types = {name: _TYPES.get(spec.type, "str") for name, spec in preset.inputs.items()}
    required = {name for name, spec in preset.inputs.items() if spec.required}
    return WorkflowPreset(
        id=preset.id,
        name=preset.name,
        description=preset.description,
        category=preset.category,
        required_inputs={name: kind for name, kind in types.items() if name in required},
        optional_inputs={name: kind for name, kind in types.items() if name not in required},
        engine_requirements=list(preset.requirements),
        engine_preference_order=engines_of(preset),
        quality_levels={level: dict(values) for level, values in preset.quality_levels.items()},
        pipeline_steps=[_step(preset, step) for step in preset.steps],
        safety_notes=list(preset.safety_notes),
        requires_consent=preset.consent is not None and preset.consent.when is None,
        failure_modes=dict(preset.failure_modes),
    )


def _step(preset: Preset, step: PresetStep) -> PresetStepShape:
    engines = step.engines or preset.engines
    return PresetStepShape(
        step=step.name,
        engine=engines[0] if step.run == ENGINE and engines else BUILT_IN,
        description=step.description,
        condition=render_condition(step.when) if step.when else None,
    )


def file_input(preset: Preset) -> str:
    """The input that takes the one file of a request."""
    found = [name for name, spec in preset.inputs.items() if spec.is_file]
    if not found:
        raise WindmillError("USAGE", f"{preset.id} takes no file", "leave out `file`, or name another preset")
    return found[0]


def generated(job: JobOutline, library: PresetLibrary) -> GenerateResponse:
    """The answer to a request to make something."""
    return GenerateResponse(**_common(job, library))


def pipeline_job(job: JobOutline, library: PresetLibrary) -> PipelineJob:
    """Where a job stands."""
    return PipelineJob(
        **_common(job, library),
        progress=1.0 if job.status == "succeeded" else job.progress,
        created_at=job.created_at,
        started_at=job.started_at,
        finished_at=job.ended_at,
        error_code=PIPELINE_CODES.get(job.error_code, job.error_code) if job.error_code else None,
    )


def _common(job: JobOutline, library: PresetLibrary) -> dict[str, Any]:
    found = library.found.get(job.preset or "")
    return {
        "job_id": str(job.public_id),
        "status": WORDS[job.status],
        "preset_id": job.preset or "",
        "estimated_time_seconds": found.preset.estimated_seconds.get(job.quality) if found else None,
        "output_url": f"/artifacts/{job.made}/content" if job.status == "succeeded" and job.made else None,
        "error": hide_paths(job.message) if job.message else None,
    }


def pipeline_artifact(job: JobOutline, file: MadeFile) -> PipelineArtifact:
    """A file that a job has made."""
    return PipelineArtifact(
        type=file.media_type.partition("/")[0],
        path=f"/artifacts/{file.sha256}/content",
        filename=file.name.rpartition("/")[2],
        media_type=file.media_type,
        bytes=file.bytes,
        step=file.step,
        preset_id=job.preset or "",
        quality_level=job.quality,
        engine_id=file.engine,
    )


def pipeline_log(event: Mapping[str, Any]) -> PipelineLog:
    """An event of a job as a line of its log."""
    data = {name: hide_paths(one) if isinstance(one, str) else one for name, one in event["data"].items()}
    return PipelineLog(
        timestamp=datetime.fromisoformat(event["at"]), level=event["level"], message=event["kind"], metadata=data
    )
