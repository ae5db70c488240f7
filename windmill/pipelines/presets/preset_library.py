"""All presets of an installation: those that ship with Windmill, and the user's own in PRESETS_DIR."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from windmill.core.errors import ConfigInvalid, Problem, WindmillError
from windmill.core.paths import packaged_file
from windmill.kernels.text.near_names import did_you_mean
from windmill.pipelines.presets.preset import Preset
from windmill.pipelines.presets.preset_reader import load_preset

SHIPPED = packaged_file("presets")
Origin = Literal["shipped", "own", "own, replaces a shipped one"]


@dataclass(frozen=True)
class FoundPreset:
    """A preset and where it comes from."""

    preset: Preset
    path: Path
    origin: Origin


@dataclass(frozen=True)
class PresetLibrary:
    """The presets by their ids, and what is wrong with files that are none."""

    found: Mapping[str, FoundPreset] = field(default_factory=dict)
    problems: Sequence[Problem] = ()

    def get(self, preset_id: str) -> FoundPreset:
        """Raises NOT_FOUND with names that are near."""
        if preset_id in self.found:
            return self.found[preset_id]
        hint = did_you_mean(preset_id, self.found)
        said = f"there is no preset {preset_id!r:.80}"
        raise WindmillError("NOT_FOUND", said, f"{hint}python -m windmill presets list shows all")


def load_presets(own: Path, shipped: Path = SHIPPED) -> PresetLibrary:
    """Every preset. A file of the user takes the place of a shipped one of the same name; one with mistakes does not
    keep the others from being used."""
    found: dict[str, FoundPreset] = {}
    problems: list[Problem] = []
    for folder in (shipped, own):
        for path in sorted(folder.glob("*.json")) if folder.is_dir() else ():
            origin: Origin = "shipped" if folder == shipped else "own"
            try:
                preset = load_preset(path)
            except ConfigInvalid as error:
                problems += error.problems
                continue
            replaces = origin == "own" and preset.id in found
            found[preset.id] = FoundPreset(preset, path, "own, replaces a shipped one" if replaces else origin)
    return PresetLibrary(dict(sorted(found.items())), problems)
