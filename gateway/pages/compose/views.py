"""What the pages for a new job show. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.jobs.shapes import JobPlan
from gateway.pages.compose.fields import FormField
from gateway.pages.request_examples import RequestExample
from windmill.core.errors import WindmillError
from windmill.kernels.text.json_readers import DocumentInvalid
from windmill.operate.preset_times import TimesOfLevels
from windmill.operate.presets import preset_document
from windmill.pipelines.presets.preset import Preset
from windmill.pipelines.presets.unavailable_presets import UnavailablePreset

CATEGORIES: Mapping[str, str] = {
    "image_generation": "Create images",
    "video_generation": "Create videos",
    "character_performance": "Animate characters",
    "post_processing": "Improve images and videos",
    "hybrid_pipeline": "Pipelines",
    "image_analysis": "Analyse images and videos",
}


@dataclass(frozen=True)
class PresetCard:
    """A preset to choose."""

    id: str
    name: str
    description: str
    engines: tuple[str, ...]


@dataclass(frozen=True)
class ChooserView:
    """All presets by what they are for, and those that cannot be run yet."""

    groups: tuple[tuple[str, tuple[PresetCard, ...]], ...]
    unavailable: tuple[UnavailablePreset, ...]


def chooser_view(presets: Sequence[Preset], unavailable: Sequence[UnavailablePreset]) -> ChooserView:
    cards: dict[str, list[PresetCard]] = {}
    for one in presets:
        card = PresetCard(one.id, one.name, one.description, one.engines)
        cards.setdefault(CATEGORIES.get(one.category, one.category.replace("_", " ")), []).append(card)
    return ChooserView(tuple((name, tuple(found)) for name, found in cards.items()), tuple(unavailable))


@dataclass(frozen=True)
class Level:
    """A level of quality, and how long a job of it takes, as was measured or as the preset says."""

    name: str
    seconds: float | None
    measured: int


@dataclass(frozen=True)
class Order:
    """What is asked for beside the inputs, as the form holds it."""

    quality: str = ""
    priority: str = "0"
    failure_budget: str = "0"
    consent_given: bool = False


@dataclass(frozen=True)
class ComposeView:
    """The form of a preset. `wrong` is what is wrong with the request as a whole; `plan` is what it would be, where
    somebody has only asked for that."""

    preset: Preset
    told: Mapping[str, Any]
    fields: tuple[FormField, ...]
    order: Order
    levels: tuple[Level, ...]
    open_jobs: int
    example: RequestExample
    plan: JobPlan | None = None
    wrong: str = ""
    remedy: str = ""
    consent_missing: bool = False

    def spoken(self, condition: str) -> str:
        """A condition of the preset, its inputs named as the form names them."""
        return condition.replace("$", "").replace("_", " ")

    @property
    def mistaken(self) -> tuple[FormField, ...]:
        return tuple(one for one in self.fields if one.mistake)


def levels_of(preset: Preset, times: TimesOfLevels) -> tuple[Level, ...]:
    return tuple(
        Level(name, times[name].seconds, times[name].jobs)
        if name in times
        else Level(name, preset.estimated_seconds.get(name), 0)
        for name in preset.quality_levels
    )


def told_of(preset: Preset, times: TimesOfLevels) -> Mapping[str, Any]:
    return preset_document(preset, times)


def mistakes_of_fields(error: WindmillError, names: Sequence[str]) -> dict[str, str]:
    """What is wrong with which input; mistakes of other places are told with the error itself."""
    cause = error.__cause__
    if not isinstance(cause, DocumentInvalid):
        return {}
    found = {one.key.partition("[")[0].partition(".")[0]: one.message for one in cause.mistakes}
    return {name: said for name, said in found.items() if name in names}
