"""Values in a preset that depend on the request: references, the first of several, and filled text. There is no other
arithmetic: what a preset can do is seen by reading it.

    "$prompt"                                        an input
    "$quality", "$quality.cfg"                       the name of the chosen level, one of its values
    "$steps.draw"                                    the files that an earlier step made
    "$each"                                          the number of the run in a step with "repeat", from 1
    {"first": ["$count", "$quality.shots"]}          the first that is there
    {"fill": "$template", "with": {"shot": "$each"}} text in which {shot} is replaced
    "$$5"                                            the text $5
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from windmill.kernels.text.json_readers import dict_of, list_of, object_of, rejected_value
from windmill.pipelines.values import JsonValue

ReferenceKind = Literal["input", "quality", "level", "step", "each"]
RESERVED_NAMES = frozenset({"quality", "steps", "each"})
"""Names that no input can have."""
_REFERENCE = re.compile(r"\$(?:(quality|steps)\.([a-z][a-z0-9_]*)|([a-z][a-z0-9_]*))")
_FORMS = (
    'such as "$prompt", "$quality", "$quality.steps", "$steps.draw" or "$each"; a text that begins with $ is written $$'
)


@dataclass(frozen=True)
class Literally:
    """A value as it stands in the preset."""

    value: JsonValue


@dataclass(frozen=True)
class Reference:
    """Something that the request, the level or another step has."""

    kind: ReferenceKind
    name: str = ""

    def __str__(self) -> str:
        written = {"level": "$quality", "each": "$each", "input": f"${self.name}", "step": f"$steps.{self.name}"}
        return written.get(self.kind, f"$quality.{self.name}")


@dataclass(frozen=True)
class FirstOf:
    """The first of several values that is there."""

    choices: tuple["Expression", ...]


@dataclass(frozen=True)
class Filled:
    """A text in which names in braces are replaced. Other braces stay: people write prompts with them."""

    template: "Expression"
    values: Mapping[str, "Expression"]


Expression: TypeAlias = Literally | Reference | FirstOf | Filled


def read_expression(value: object, key: str) -> Expression:
    """A reader as those of json_readers."""
    if isinstance(value, str):
        return _of_text(value, key)
    if isinstance(value, dict):
        return _of_object(value, key)
    if isinstance(value, list):
        raise rejected_value(key, value, "must be a single value, not a list")
    return Literally(value)  # type: ignore[arg-type]  # a number, a boolean or null


def _of_text(value: str, key: str) -> Expression:
    if not value.startswith("$"):
        return Literally(value)
    if value.startswith("$$"):
        return Literally(value[1:])
    match = _REFERENCE.fullmatch(value)
    if not match or (match[3] == "steps"):
        raise rejected_value(key, value, f"is no reference; they are {_FORMS}")
    if match[1]:
        return Reference("quality" if match[1] == "quality" else "step", match[2])
    kinds: dict[str, ReferenceKind] = {"quality": "level", "each": "each"}
    return Reference(kinds.get(match[3], "input"), "" if match[3] in kinds else match[3])


def _of_object(value: Mapping[str, Any], key: str) -> Expression:
    if "fill" in value:
        fields = {"fill": read_expression, "with": dict_of(read_expression)}
        read = object_of(fields, required=fields)(value, key)
        return Filled(read["fill"], read["with"])
    choices = object_of({"first": list_of(read_expression, "values")}, required=["first"])(value, key)["first"]
    if not choices:
        raise rejected_value(f"{key}.first", [], "must name at least one value")
    return FirstOf(choices)


def references(expression: Expression) -> Iterator[Reference]:
    """Everything that it refers to."""
    match expression:
        case Reference():
            yield expression
        case FirstOf(choices):
            for choice in choices:
                yield from references(choice)
        case Filled(template, values):
            yield from references(template)
            for value in values.values():
                yield from references(value)


@dataclass(frozen=True)
class Known:
    """What a request says: the values of inputs that are there, the level and its values, and `each`."""

    inputs: Mapping[str, Any]
    level: str
    quality: Mapping[str, JsonValue]
    each: int | None = None


def value_of(expression: Expression, known: Known) -> Any:  # noqa: ANN401 - any JSON
    """The value of an expression without files of steps; None where it is not there."""
    match expression:
        case Literally(value):
            return value
        case FirstOf(choices):
            return next((one for choice in choices if (one := value_of(choice, known)) is not None), None)
        case Filled(template, values):
            return _filled(
                str(value_of(template, known) or ""), {name: value_of(one, known) for name, one in values.items()}
            )
        case Reference(kind="input", name=name):
            return known.inputs.get(name)
        case Reference(kind="quality", name=name):
            return known.quality.get(name)
        case Reference(kind="level"):
            return known.level
        case Reference(kind="each"):
            return known.each
        case _:
            raise ValueError(f"{expression} is known only when that step has run")


def _filled(template: str, values: Mapping[str, Any]) -> str:
    """All names are replaced in one pass, so what replaces one is never taken for another."""
    names = "|".join(map(re.escape, values))
    return re.sub(rf"\{{({names})\}}", lambda match: str(values[match[1]]), template) if names else template
