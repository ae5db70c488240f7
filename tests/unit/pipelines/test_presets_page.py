"""What docs/presets.md lets people write is accepted, and its tables are complete."""

import json
import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from tests.unit.examples import example
from tests.unit.pipelines.made_presets import SMALL, problems, with_value
from windmill.core.settings import ROOT
from windmill.pipelines.presets.conditions import TESTS
from windmill.pipelines.presets.expressions import RESERVED_NAMES
from windmill.pipelines.presets.known_steps import KNOWN_STEPS
from windmill.pipelines.presets.preset import Preset, PresetStep
from windmill.pipelines.presets.preset_reader import load_preset
from windmill.pipelines.values import LIMITS, VALUE_TYPES, ValueSpec, allowed_values

PAGE = (ROOT / "docs" / "presets.md").read_text(encoding="utf-8")
TEXT = re.search(r"^       \{\n(?:       .*\n)+", PAGE, re.MULTILINE)
assert TEXT
EXAMPLE = TEXT[0]
SOFT_FILM: dict[str, Any] = json.loads(EXAMPLE)


def section(title: str) -> str:
    """The text below a heading, up to the next one of its level."""
    return re.split(r"^## ", PAGE.partition(f"\n## {title}\n")[2], maxsplit=1, flags=re.MULTILINE)[0]


def first_column(text: str) -> set[str]:
    return {name for row in re.findall(r"^\| (`[^|]*`) \|", text, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)}


def test_the_example_has_about_a_kilobyte_and_passes_the_check(tmp_path: Path) -> None:
    (tmp_path / "soft_film.json").write_text(EXAMPLE)
    assert load_preset(tmp_path / "soft_film.json").id == "soft_film"
    assert len(json.dumps(SOFT_FILM)) < 1_100


def test_the_keys_of_a_preset_and_of_a_step_are_described() -> None:
    assert first_column(section("Keys of a preset")) == {one.name for one in fields(Preset)}
    assert first_column(section("Steps").partition("| `run` | what")[0]) >= {one.name for one in fields(PresetStep)}


def test_the_keys_and_the_types_of_inputs_are_described() -> None:
    assert first_column(section("Inputs")) == {one.name for one in fields(ValueSpec)} | set(VALUE_TYPES)
    for kind, limits in LIMITS.items():
        for limit in limits:
            (described,) = re.findall(rf"^\| [^|]*`{limit}`[^|]*\|([^|]*)\|", section("Inputs"), re.MULTILINE)
            assert f"`{kind}`" in described


@pytest.mark.parametrize("name", KNOWN_STEPS)
def test_a_step_is_described_with_its_inputs_and_parameters(name: str) -> None:
    step = KNOWN_STEPS[name]
    inputs = ", ".join(f"`{one}` ({kind})" for one, kind in step.inputs.items()) or "none"
    assert f"| `{name}` | {step.description} | {inputs} |" in PAGE
    rows = re.findall(rf"^\| `{name}` \| `(\w+)` \| ([^|]*) \| ([^|]*) \|", PAGE, re.MULTILINE)
    assert rows == [
        (one, allowed_values(spec).removeprefix("must be "), default_of(spec)) for one, spec in step.parameters.items()
    ]


def default_of(spec: ValueSpec) -> str:
    if spec.required:
        return "required"
    return "none" if spec.default is None else str(spec.default).lower()


def test_every_test_of_a_condition_and_every_reserved_name_is_described() -> None:
    assert all(f'"{test}"' in section("Conditions") or f"`{test}`" in section("Conditions") for test in TESTS)
    assert all(f"`{name}`" in section("Inputs") for name in RESERVED_NAMES)


@pytest.mark.parametrize(
    "value", re.findall(r'^\| `(\{"first".*?\}|"\$\w+"|"\$quality\.\w+")`', section("Values"), re.MULTILINE)
)
def test_the_values_of_the_page_are_read(value: str) -> None:
    found = problems(with_value(SMALL, "steps.0.parameters", {"seed": json.loads(value)}))
    assert not [one for one in found if "no reference" in one or "known key" in one]


def test_the_engine_step_of_the_page_is_accepted() -> None:
    drawn = {
        **SMALL,
        "inputs": {"prompt": {"type": "text", "required": True}, "seed": {"type": "seed"}},
        "engines": ["builtin"],
        "steps": [json.loads(example("presets.md", '{"name": "draw"'))],
    }
    assert problems(drawn) == []
