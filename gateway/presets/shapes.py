"""Presets outside."""

from typing import Annotated, Any

from pydantic import Field

from gateway.shape import Shape
from windmill.pipelines.presets.preset import Category

Name = Annotated[str, Field(min_length=1, max_length=200)]


class PresetShape(Shape):
    """What can be asked for, and with which inputs."""

    id: str
    version: int
    name: str
    description: str
    category: Category
    engines: list[str]
    requirements: list[str]
    quality_levels: dict[str, dict[str, Any]]
    default_quality: str
    estimated_seconds: dict[str, float]
    estimated_time_seconds: dict[str, float]
    measured_jobs: dict[str, int]
    inputs_schema: dict[str, Any]
    steps: list[dict[str, Any]]
    consent: dict[str, Any] | None
    safety_notes: list[str]
    failure_modes: dict[str, str]


class PresetList(Shape):
    presets: list[PresetShape]
    count: int


class PresetAnswer(Shape):
    preset: PresetShape


class PresetQuery(Shape):
    category: Category | None = None
    engine: Name | None = None
