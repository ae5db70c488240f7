"""What somebody asks of a preset, as they type it, and what that means."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import orjson

from windmill.core.errors import WindmillError
from windmill.pipelines.presets.preset import Preset
from windmill.pipelines.presets.preset_request import PresetRequest, read_request
from windmill.pipelines.values import MAX_SEED, ValueSpec

_WRITTEN_AS_JSON = ("integer", "number", "boolean", "seed")
Texts = Mapping[str, Sequence[str]]
Paths = Mapping[str, Sequence[Path]]
"""Files of this machine, by the names of inputs."""


@dataclass(frozen=True)
class PresetOrder:
    """What somebody asks for: texts and files by the names of inputs. `by` is who confirms what is to be confirmed."""

    preset: str
    inputs: Texts = field(default_factory=dict)
    files: Paths = field(default_factory=dict)
    quality: str | None = None
    engines: Sequence[str] = ()
    consent: bool = False
    priority: int = 0
    key: str | None = None
    by: str = ""


def read_order(preset: Preset, order: PresetOrder) -> PresetRequest:
    """The request, in which files that are not stored yet have no ids; raises USAGE with every mistake."""
    return read_request(
        preset,
        typed_inputs(preset, order.inputs, order.files),
        order.quality,
        consent_given=order.consent,
        draw_seed=draw_seed,
    )


def draw_seed() -> int:
    return secrets.randbelow(MAX_SEED + 1)


def typed_inputs(preset: Preset, inputs: Texts, files: Paths) -> dict[str, object]:
    """Values of the types of their inputs, and something in place of each file."""
    for name in files:
        spec = preset.inputs.get(name)
        if spec and not spec.is_file:
            raise WindmillError("USAGE", f"{name} is {spec.type}, not a file", f"--input {name}=...")
    names = [*inputs, *(name for name in files if name not in inputs)]
    return {name: _typed(name, preset.inputs.get(name), _texts(name, inputs, files)) for name in names}


def file_inputs(preset: Preset, inputs: Texts, files: Paths) -> list[str]:
    """The inputs that are files and are given."""
    return [name for name, spec in preset.inputs.items() if spec.is_file and _texts(name, inputs, files)]


def _texts(name: str, inputs: Texts, files: Paths) -> list[str]:
    return [*inputs.get(name, ()), *("to be stored" for _ in files.get(name, ()))]


def _typed(name: str, spec: ValueSpec | None, texts: Sequence[str]) -> object:
    """A value of the type of its input where the text can be one; whether it is allowed is checked later."""
    if spec and spec.type == "images":
        return list(texts)
    if len(texts) > 1:
        raise WindmillError("USAGE", f"{name} is given {len(texts)} times, and takes one value")
    if spec and spec.type in _WRITTEN_AS_JSON:
        try:
            return orjson.loads(texts[0])
        except orjson.JSONDecodeError:
            return texts[0]
    return texts[0]
