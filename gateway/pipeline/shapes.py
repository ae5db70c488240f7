"""What the pipeline manager takes and answers."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field, StrictBool, StrictInt, StringConstraints

from gateway.shape import Shape
from windmill.pipelines.presets.preset import Category
from windmill.pipelines.values import MAX_SEED

PipelineStatus = Literal["queued", "running", "completed", "failed", "cancelled"]
Name = Annotated[str, Field(min_length=1, max_length=200)]
Prompt = Annotated[str, StringConstraints(min_length=1, max_length=2_000)]


class GenerateRequest(Shape):
    """`identity_reference` names pictures that were sent to /assets by their ids."""

    preset_id: Name = Field(examples=["cinematic_portrait_v1"])
    prompt: Prompt = Field(examples=["a lighthouse in the fog"])
    negative_prompt: Annotated[str, Field(max_length=2_000)] | None = None
    quality_level: Literal["low", "standard", "pro"] = "standard"
    seed: Annotated[StrictInt, Field(ge=0, le=MAX_SEED)] | None = None
    identity_reference: Annotated[list[Name], Field(max_length=100)] | None = None
    consent_given: StrictBool = False


class GenerateVideoRequest(Shape):
    """`file` is a video or a picture that was sent to /assets, by its id; a preset that makes a video of words alone
    needs none."""

    preset_id: Name = Field(examples=["restyle_video_v1"])
    file: Name | None = None
    prompt: Prompt | None = None
    style: Name | None = None
    services: Name | None = Field(None, examples=["yolov8,rtdetr"])
    quality_level: Literal["low", "standard", "pro"] = "standard"
    seed: Annotated[StrictInt, Field(ge=0, le=MAX_SEED)] | None = None
    consent_given: StrictBool = False


class GenerateResponse(Shape):
    """`output_url` is there once the job is completed."""

    job_id: str
    status: PipelineStatus
    preset_id: str
    estimated_time_seconds: float | None
    output_url: str | None
    error: str | None


class PipelineJob(GenerateResponse):
    """`progress` goes from 0 to 1."""

    progress: float
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    error_code: str | None


class PipelineArtifact(Shape):
    """`path` is where to fetch it."""

    type: str
    path: str
    filename: str
    media_type: str
    bytes: int
    step: str
    preset_id: str
    quality_level: str
    engine_id: str | None


class PipelineArtifacts(Shape):
    ok: Literal[True] = True
    job_id: str
    artifacts: list[PipelineArtifact]


class PipelineLog(Shape):
    timestamp: datetime
    level: str
    message: str
    metadata: dict[str, Any]


class PipelineLogs(Shape):
    ok: Literal[True] = True
    job_id: str
    logs: list[PipelineLog]


class PresetStepShape(Shape):
    step: str
    engine: str
    description: str
    condition: str | None = None


class WorkflowPreset(Shape):
    """A preset as the pipeline manager tells of it; /presets tells more."""

    id: str
    name: str
    description: str
    category: Category
    required_inputs: dict[str, str]
    optional_inputs: dict[str, str]
    engine_requirements: list[str]
    engine_preference_order: list[str]
    quality_levels: dict[str, dict[str, Any]]
    pipeline_steps: list[PresetStepShape]
    safety_notes: list[str]
    requires_consent: bool
    failure_modes: dict[str, str]


class WorkflowPresets(Shape):
    ok: Literal[True] = True
    presets: list[WorkflowPreset]


class WorkflowPresetAnswer(Shape):
    ok: Literal[True] = True
    preset: WorkflowPreset


class WorkflowQuery(Shape):
    category: Category | None = None
    engine: Name | None = None


class LogQuery(Shape):
    after: Annotated[int, Field(ge=0, le=2**63 - 1)] = 0
    limit: Annotated[int, Field(ge=1, le=1_000)] = 100
