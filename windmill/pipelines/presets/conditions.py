"""Conditions over what a request says, as data: when a step runs and when consent is needed.

{"value": "$quality", "in": ["standard", "pro"]}
{"value": "$quality.face_restoration", "equals": true}
{"value": "$quality.upscale", "at_least": 2}           also: at_most
{"value": "$identity_reference", "given": true}        or false
{"all": [...]}, {"any": [...]}, {"not": {...}}
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

from windmill.kernels.text.json_readers import (
    DocumentInvalid,
    Reader,
    list_of,
    mapping,
    object_of,
    rejected_value,
    unknown_keys,
)
from windmill.pipelines.presets.expressions import Known, Reference, read_expression, value_of

Test = Literal["equals", "in", "at_least", "at_most", "given"]
TESTS: tuple[Test, ...] = get_args(Test)
_JOINS = ("all", "any", "not")
MAX_DEPTH = 5


@dataclass(frozen=True)
class Comparison:
    """One value, compared."""

    value: Reference
    test: Test
    operand: Any


@dataclass(frozen=True)
class AllOf:
    """True if each is; `any_of` turns it into: if one is."""

    parts: tuple["Condition", ...]
    any_of: bool = False


@dataclass(frozen=True)
class Not:
    """True if the other is not."""

    part: "Condition"


Condition: TypeAlias = Comparison | AllOf | Not


@dataclass(frozen=True)
class Decision:
    """Whether a condition is met, and the sentence that says why, for whoever wonders about a skipped step."""

    met: bool
    why: str


def read_condition(value: object, key: str, depth: int = 0) -> Condition:
    """A reader as those of json_readers."""
    given = mapping(value, key)
    if depth > MAX_DEPTH:
        raise rejected_value(key, value, f"is nested more than {MAX_DEPTH} deep")
    joins = [name for name in _JOINS if name in given]
    if joins:
        return _read_join(joins[0], given, key, depth)
    return _read_comparison(given, key)


def _read_join(name: str, given: Mapping[str, Any], key: str, depth: int) -> Condition:
    def inner(value: object, where: str) -> Condition:
        return read_condition(value, where, depth + 1)

    if name == "not":
        return Not(object_of({"not": inner}, required=["not"])(given, key)["not"])
    parts = object_of({name: list_of(inner, "conditions")}, required=[name])(given, key)[name]
    if not parts:
        raise rejected_value(f"{key}.{name}", [], "must name at least one condition")
    return AllOf(parts, any_of=name == "any")


def _read_comparison(given: Mapping[str, Any], key: str) -> Comparison:
    if mistakes := unknown_keys(given, f"{key}.", ("value", *TESTS, *_JOINS)):
        raise DocumentInvalid(mistakes)
    tests = [test for test in TESTS if test in given]
    if "value" not in given or len(tests) != 1:
        said = f'must have "value" and one of {", ".join(TESTS)}; or be all, any or not of conditions'
        raise rejected_value(key, dict(given), said)
    value = read_expression(given["value"], f"{key}.value")
    if not isinstance(value, Reference) or value.kind in ("step", "each"):
        said = 'must refer to an input, to "$quality" or to a value of the level, such as "$quality.steps"'
        raise rejected_value(f"{key}.value", given["value"], said)
    return Comparison(value, tests[0], _OPERANDS[tests[0]](given[tests[0]], f"{key}.{tests[0]}"))


def _scalar(value: object, key: str) -> object:
    if isinstance(value, dict | list) or value is None or (isinstance(value, str) and value.startswith("$")):
        raise rejected_value(key, value, "must be a plain text, number or boolean")
    return value


def _boolean(value: object, key: str) -> bool:
    if not isinstance(value, bool):
        raise rejected_value(key, value, "must be true or false")
    return value


def _number(value: object, key: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise rejected_value(key, value, "must be a number")
    return value


_OPERANDS: Mapping[Test, Reader[Any]] = {
    "equals": _scalar,
    "in": list_of(_scalar, "plain values"),
    "at_least": _number,
    "at_most": _number,
    "given": _boolean,
}


def decide(condition: Condition, known: Known) -> Decision:
    """Whether it is met, and why."""
    match condition:
        case Comparison():
            return _compared(condition, known)
        case Not(part):
            decision = decide(part, known)
            return Decision(not decision.met, decision.why)
        case AllOf(parts, any_of):
            decisions = [decide(part, known) for part in parts]
            met = any(one.met for one in decisions) if any_of else all(one.met for one in decisions)
            return Decision(met, " and ".join(dict.fromkeys(one.why for one in decisions if one.met == met)))


def _compared(condition: Comparison, known: Known) -> Decision:
    value, name = value_of(condition.value, known), _spoken(condition.value)
    met = _HOLDS[condition.test](value, condition.operand)
    if value is None:
        return Decision(met, f"{name} is not given")
    if condition.test == "given":
        return Decision(met, f"{name} is given")
    if met:
        return Decision(met, f"{name} is {_shown(value)}")
    return Decision(met, f"{name} is {_shown(value)}, not {_WANTED[condition.test]}{_shown(condition.operand)}")


_WANTED: Mapping[Test, str] = {
    "equals": "",
    "in": "one of ",
    "at_least": "at least ",
    "at_most": "at most ",
    "given": "",
}


def _same(value: object, operand: object) -> bool:
    """1 is not true: JSON tells them apart."""
    return value == operand and isinstance(value, bool) == isinstance(operand, bool)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_HOLDS: Mapping[Test, Callable[[Any, Any], bool]] = {
    "equals": _same,
    "in": lambda value, operands: any(_same(value, one) for one in operands),
    "at_least": lambda value, bound: _is_number(value) and value >= bound,
    "at_most": lambda value, bound: _is_number(value) and value <= bound,
    "given": lambda value, wanted: (value is not None) == wanted,
}


def _spoken(reference: Reference) -> str:
    return {"level": "the quality"}.get(reference.kind, reference.name.replace("_", " "))


def _shown(value: object) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(_shown, value))
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else f"{value!s:.60}"


def comparisons(condition: Condition) -> Iterator[Comparison]:
    """All comparisons in it."""
    match condition:
        case Comparison():
            yield condition
        case Not(part):
            yield from comparisons(part)
        case AllOf(parts):
            for part in parts:
                yield from comparisons(part)
