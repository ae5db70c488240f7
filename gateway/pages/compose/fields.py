"""The form of a preset: a field for each input, and what somebody has filled in as the values of a request. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from windmill.pipelines.presets.preset import Preset
from windmill.pipelines.values import MAX_SEED, ValueSpec, allowed_values

Control = Literal["line", "text", "number", "tick", "choice", "file", "files"]
LONG_TEXT = 120
"""Texts that may be longer get a field of several lines."""
_FILES = {"image": "image/*", "images": "image/*", "video": "video/*", "audio": "audio/*"}


@dataclass(frozen=True)
class FormField:
    """An input of the preset. `value` is what the field holds, `mistake` what is wrong with it."""

    name: str
    control: Control
    required: bool
    hint: str
    value: str = ""
    mistake: str = ""
    choices: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    step: str = "1"
    longest: int | None = None
    accept: str = ""
    examples: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """Its name as words."""
        return self.name.replace("_", " ").capitalize()

    @property
    def id(self) -> str:
        return f"in-{self.name}"

    @property
    def described_by(self) -> str:
        return f"{self.id}-hint" + (f" {self.id}-wrong" if self.mistake else "")


def fields_of(preset: Preset) -> tuple[FormField, ...]:
    return tuple(_field(name, spec) for name, spec in preset.inputs.items())


def _field(name: str, spec: ValueSpec) -> FormField:
    limits = allowed_values(spec).removeprefix("must be ")
    made = FormField(
        name=name,
        control=_control(spec),
        required=spec.required,
        hint=f"{spec.description}: {limits}" if spec.description else limits,
        value="" if spec.default is None else _shown(spec.default),
        examples=tuple(_shown(one) for one in spec.examples),
    )
    match spec.type:
        case "text":
            return replace(made, longest=spec.max_length)
        case "integer" | "number":
            step = "1" if spec.type == "integer" else "any"
            return replace(made, minimum=spec.minimum, maximum=spec.maximum, step=step)
        case "seed":
            return replace(made, minimum=0, maximum=MAX_SEED)
        case "choice":
            return replace(made, choices=spec.choices)
        case _:
            return replace(made, accept=_FILES.get(spec.type, ""))


def _control(spec: ValueSpec) -> Control:
    match spec.type:
        case "text":
            return "text" if spec.max_length > LONG_TEXT else "line"
        case "integer" | "number" | "seed":
            return "number"
        case "boolean":
            return "tick"
        case "choice":
            return "choice"
        case "images":
            return "files"
        case "image" | "video" | "audio":
            return "file"
        case _:
            return "line"


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else ""
    return " ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def filled(
    fields: Sequence[FormField], values: Mapping[str, Any], mistakes: Mapping[str, str]
) -> tuple[FormField, ...]:
    """The same fields with what somebody has given, and what is wrong with it."""
    return tuple(
        replace(one, value=_shown(values[one.name]) if one.name in values else "", mistake=mistakes.get(one.name, ""))
        for one in fields
    )


def read_values(preset: Preset, texts: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """The inputs of a request from what the fields held. What is no number stays a text, for the preset to refuse."""
    found = {name: _value(spec, texts.get(name, ())) for name, spec in preset.inputs.items()}
    return {name: value for name, value in found.items() if value is not None}


def _value(spec: ValueSpec, texts: Sequence[str]) -> Any:  # noqa: ANN401 - by its type
    given = [one.replace("\r\n", "\n").strip() for one in texts]
    text = next((one for one in given if one), "")
    match spec.type:
        case "boolean":
            return bool(text)
        case "images":
            return [word for one in given for word in one.split()] or None
        case "integer" | "number" | "seed":
            return _number(text) if text else None
        case _:
            return text or None


def _number(text: str) -> int | float | str:
    try:
        return int(text)
    except ValueError:
        try:
            return float(text)
        except ValueError:
            return text
