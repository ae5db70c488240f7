"""A preset in memory, after every check."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from windmill.pipelines.presets.conditions import Condition
from windmill.pipelines.presets.expressions import Expression
from windmill.pipelines.values import JsonValue, ValueSpec

Category = Literal[
    "image_generation",
    "video_generation",
    "character_performance",
    "post_processing",
    "hybrid_pipeline",
    "image_analysis",
    "audio_analysis",
]
STANDARD = "standard"
"""The level of a preset that names none, and the default one where there is one of this name."""
ENGINE = "engine"
"""What `run` says of a step that an engine does."""


@dataclass(frozen=True)
class Consent:
    """What somebody has to confirm before a job is made, and when; without a condition always."""

    text: str
    when: Condition | None = None


@dataclass(frozen=True)
class PresetStep:
    """One step: what does it, with what, under which condition, and how often."""

    name: str
    run: str
    task: str = ""
    description: str = ""
    when: Condition | None = None
    inputs: Mapping[str, Expression] | None = None
    """None: the step's first input is what the step before made."""
    parameters: Mapping[str, Expression] = field(default_factory=dict)
    repeat: Expression | None = None
    """How often it runs; `$each` counts from 1."""
    batch_size: Expression | None = None
    """How many files of its first input an engine gets at a time."""
    engines: tuple[str, ...] = ()
    """Engines of this step alone, in order of preference; empty for those of the preset."""

    @property
    def uses_engine(self) -> bool:
        """Whether an engine does it, or a part of it."""
        return self.run == ENGINE or bool(self.task)


@dataclass(frozen=True)
class Preset:
    """What a user can ask for."""

    id: str
    version: int
    name: str
    category: Category
    inputs: Mapping[str, ValueSpec]
    steps: tuple[PresetStep, ...]
    quality_levels: Mapping[str, Mapping[str, JsonValue]] = field(default_factory=lambda: {STANDARD: {}})
    description: str = ""
    default_quality: str = ""
    engines: tuple[str, ...] = ()
    requirements: tuple[str, ...] = ()
    consent: Consent | None = None
    safety_notes: tuple[str, ...] = ()
    failure_modes: Mapping[str, str] = field(default_factory=dict)
    estimated_seconds: Mapping[str, float] = field(default_factory=dict)

    @property
    def usual_quality(self) -> str:
        """The level of a request that names none."""
        return self.default_quality or (
            STANDARD if STANDARD in self.quality_levels else next(iter(self.quality_levels))
        )

    @property
    def uses_engines(self) -> bool:
        return any(step.uses_engine for step in self.steps)

    @property
    def quality_parameters(self) -> frozenset[str]:
        """The names that every level has a value for."""
        return frozenset[str]().union(*self.quality_levels.values())
