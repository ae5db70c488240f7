"""Every mistake in a preset is told with its place, its value and what to do about it."""

import contextlib
import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.pipelines.made_presets import DRAWN, SMALL, preset, problems, with_value
from windmill.core.errors import ConfigInvalid
from windmill.pipelines.presets.planned_steps import plan_steps
from windmill.pipelines.presets.preset_library import SHIPPED, load_presets
from windmill.pipelines.presets.preset_reader import MAX_BYTES, load_preset, parse_preset
from windmill.pipelines.presets.preset_request import PresetRequest

INNER = (
    "inputs.prompt",
    "steps.0",
    "steps.0.when",
    "steps.0.repeat",
    "steps.0.inputs.face",
    "steps.0.parameters.prompt.with",
    "quality_levels.low",
    "consent.when",
)


def test_the_presets_of_these_tests_have_no_mistakes() -> None:
    assert problems(SMALL) == problems(DRAWN) == []


def test_every_shipped_file_is_right() -> None:
    library = load_presets(SHIPPED / "nowhere")
    assert not library.problems
    assert len(library.found) == len(list(SHIPPED.glob("*.json"))) >= 6


@pytest.mark.parametrize(
    ("path", "value", "place", "remedy"),
    [
        ("verison", 1, "verison", "did you mean 'version'?"),
        ("version", "1", "version", "must be a whole number"),
        ("version", ..., "version", "is missing"),
        ("id", "Soft Film", "id", "small letters"),
        ("category", "film", "category", "must be one of image_generation"),
        ("inputs.photo.type", "picture", "inputs.photo.type", "must be one of text"),
        ("inputs.photo.minimum", 1, "inputs.photo.minimum", "is not a known key"),
        ("inputs.quality", {"type": "image"}, "inputs.quality", "reserved"),
        ("inputs.Photo", {"type": "image"}, "inputs.Photo", "small letters"),
        ("inputs.photo.required", "yes", "inputs.photo.required", "must be true or false"),
        ("inputs.photo.required", False, "steps[0].inputs.picture", "may be absent; make inputs.photo required"),
        ("inputs.photo.type", "images", "steps[0].inputs.picture", "is of type images, and the step takes image"),
        ("inputs.photo.type", "text", "steps[0].inputs.picture", "is text, not a file"),
        ("inputs.other", {"type": "seed"}, "inputs.other", 'is used by no step; refer to it as "$other"'),
        ("steps", [], "steps", "must be 1 to 50 steps"),
        ("steps.0.run", "film_grian", "steps[0].run", "did you mean 'film_grain'?"),
        ("steps.0.name", "Grain!", "steps[0].name", "small letters"),
        ("steps.0.inputs", ..., "steps[0].inputs", 'Name its files: "inputs": {"picture": "$..."}'),
        ("steps.0.inputs.picture", "$foto", "steps[0].inputs.picture", "does not refer to an input; there is photo"),
        ("steps.0.inputs.picture", "photo.png", "steps[0].inputs.picture", "must be files"),
        ("steps.0.inputs.picture", "$photo!", "steps[0].inputs.picture", "is no reference"),
        ("steps.0.inputs.picture", "$steps.grain", "steps[0].inputs.picture", "does not refer to an earlier step"),
        ("steps.0.inputs.image", "$photo", "steps[0].inputs.image", "is no input of film_grain; it has picture"),
        ("steps.0.parameters", {"strenght": 1}, "steps[0].parameters.strenght", "did you mean 'strength'?"),
        ("steps.0.parameters", {"strength": 2}, "steps[0].parameters.strength", "must be a number from 0 to 1"),
        ("steps.0.parameters", {"strength": "$each"}, "steps[0].parameters.strength", 'in a step with "repeat"'),
        ("steps.0.parameters", {"strength": "$quality.x"}, "steps[0].parameters.strength", "there are none"),
        ("steps.0.parameters", {"strength": "$photo"}, "steps[0].parameters.strength", 'name it under "inputs"'),
        ("steps.0.parameters", {"strength": [1]}, "steps[0].parameters.strength", "must be a single value"),
        ("steps.0.parameters", {"seed": {"first": []}}, "steps[0].parameters.seed.first", "at least one value"),
        ("steps.0.task", "draw", "steps[0].task", 'is for steps with "run": "engine"'),
        ("steps.0.when", {"value": "$quality"}, "steps[0].when", 'must have "value" and one of equals'),
        ("steps.0.when", {"value": "$quality", "equals": "high"}, "steps[0].when.equals", "it can be standard"),
        ("steps.0.when", {"value": "$foto", "given": True}, "steps[0].when", "refers to no input"),
        ("steps.0.when", {"value": "$steps.x", "given": True}, "steps[0].when.value", "must refer to an input"),
        ("steps.0.when", {"valeu": "$quality", "equals": 1}, "steps[0].when.valeu", "did you mean 'value'?"),
        ("steps.0.repeat", 5_000, "steps[0].repeat", "from 1 to 1000"),
        ("engines", ["builtin"], "engines", "are used by no step"),
        ("default_quality", "high", "default_quality", "must be one of standard"),
        ("quality_levels", {}, "quality_levels", "must have a level"),
        ("quality_levels", {"low": {"x": 1}, "pro": {}}, "quality_levels.pro.x", "other levels have a value"),
        ("quality_levels", {"low": {"x": [1]}}, "quality_levels.low.x", "plain text, number or boolean"),
        ("estimated_seconds", {"high": 3}, "estimated_seconds.high", "is no level; they are standard"),
        ("failure_modes", {"offline": "start it"}, "failure_modes.offline", "is no error code"),
        ("consent", {"text": "ok", "if": 1}, "consent.if", "is not a known key"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_its_place_and_a_remedy(path: str, value: object, place: str, remedy: str) -> None:
    found = problems(with_value(SMALL, path, value))
    assert any(one.startswith(f"{place}: ") and remedy in one for one in found), found


@pytest.mark.parametrize(
    ("path", "value", "place", "remedy"),
    [
        ("inputs.look.choices", ["warm", "sepia"], "steps[2].parameters.look", "narrow inputs.look"),
        ("inputs.look.default", "sepia", "inputs.look.default", "must be one of warm, cool"),
        ("inputs.look.choices", ..., "inputs.look.choices", "is missing"),
        ("inputs.prompt.examples", ["x" * 101], "inputs.prompt.examples[0]", "text of 1 to 100 characters"),
        ("inputs.prompt.default", "a dog", "inputs.prompt.default", "never used, as the input is required"),
        ("inputs.prompt.min_length", 101, "inputs.prompt.min_length", "must be at most max_length, which is 100"),
        ("inputs.count.maximum", 2_000, "steps[0].repeat", "narrow inputs.count"),
        ("quality_levels.pro.grain", 4, "quality_levels.pro.grain", "must be a number from 0 to 1"),
        ("quality_levels.pro.shots", 0, "quality_levels.pro.shots", "a whole number from 1 to 1000"),
        ("quality_levels.pro.grain", True, "quality_levels.pro.grain", "must be a number from 0 to 1"),
        ("steps.0.task", ..., "steps[0].task", "say what the engine is to do"),
        ("engines", ..., "engines", "name the engines that can do it"),
        ("steps.0.parameters.face", "$face", "steps[0].parameters.face", "is a file"),
        ("steps.0.inputs.prompt", "$prompt", "steps[0].inputs.prompt", "is text, not a file"),
        ("steps.1.name", "draw", "steps[1].name", "is the name of an earlier step"),
        ("steps.1.run", "upscale", "steps[1].inputs.picture", "makes images"),
        ("steps.3.parameters.seed", "$look", "steps[3].parameters.seed", "is choice, and the parameter"),
        ("steps.2.when", {"value": "$prompt", "at_least": 3}, "steps[2].when.at_least", "compares numbers"),
        ("steps.3.parameters.size", {"fill": "{a}", "with": {"a": "$face"}}, "steps[3].parameters.size", "is a file"),
        ("steps.3.parameters.strength", 0.2, "quality_levels.low.grain", 'refer to it as "$quality.grain"'),
        ("steps.0.when", {"value": "$quality", "equals": "pro"}, "steps[1].inputs.pictures", "hands on nothing"),
        ("steps.2.when", {"value": "$quality.grain", "equals": 0.5}, "steps[2].when.equals", "it can be 0.1, 0.4"),
    ],
)  # fmt: skip
def test_what_does_not_go_together_is_told_with_its_place_and_a_remedy(
    path: str, value: object, place: str, remedy: str
) -> None:
    found = problems(with_value(DRAWN, path, value))
    assert any(one.startswith(f"{place}: ") and remedy in one for one in found), found


def test_all_mistakes_of_a_file_are_told_at_once() -> None:
    broken = with_value(with_value(with_value(DRAWN, "version", 0), "category", "x"), "steps.1.run", 7)
    assert len(problems(broken)) == 3


def test_a_mistake_is_told_once() -> None:
    found = problems(with_value(DRAWN, "quality_levels.pro.grain", 4))
    assert len(found) == len(set(found))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "is not valid JSON"),
        ('{"id": 1, "id": 2}', "'id' stands twice"),
        ('{"version": NaN}', "NaN is no number of JSON"),
        ("[]", "must be an object"),
        ("\udcff", "is not valid JSON"),
        ("[" * 100_000, "is not valid JSON"),
        (" " * (MAX_BYTES + 1), "make it shorter"),
    ],
)
def test_a_file_that_is_no_preset_at_all_is_told_by_its_name(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "mine.json").write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(ConfigInvalid) as raised:
        load_preset(tmp_path / "mine.json")
    assert [one.name.startswith("mine.json") for one in raised.value.problems] == [True]
    assert said in str(raised.value)


def test_the_file_must_bear_the_name_of_the_preset(tmp_path: Path) -> None:
    (tmp_path / "other.json").write_text(json.dumps(SMALL))
    with pytest.raises(ConfigInvalid, match=r"rename the file to soft_film\.json"):
        load_preset(tmp_path / "other.json")


def test_a_file_of_the_user_takes_the_place_of_a_shipped_one_and_a_broken_one_disturbs_nobody(tmp_path: Path) -> None:
    shipped, own = tmp_path / "shipped", tmp_path / "own"
    shipped.mkdir()
    own.mkdir()
    (shipped / "soft_film.json").write_text(json.dumps(SMALL))
    (shipped / "drawn.json").write_text(json.dumps(DRAWN))
    (own / "soft_film.json").write_text(json.dumps({**SMALL, "version": 9}))
    (own / "broken.json").write_text("{}")
    library = load_presets(own, shipped)
    assert {name: (one.preset.version, one.origin) for name, one in library.found.items()} == {
        "drawn": (3, "shipped"),
        "soft_film": (9, "own, replaces a shipped one"),
    }
    assert {one.name.partition(":")[0] for one in library.problems} == {"broken.json"}


def test_a_user_needs_no_folder_of_their_own(tmp_path: Path) -> None:
    assert not load_presets(tmp_path / "none").problems


@pytest.mark.parametrize("broken", [None, 7, "x", [], {}, [[]], {"a": {}}, True])
@pytest.mark.parametrize("path", [*DRAWN, *INNER])
def test_a_value_of_any_type_in_any_place_is_told_and_never_a_crash(path: str, broken: object) -> None:
    problems(with_value(DRAWN, path, broken))


def test_steps_that_refer_to_each_other_are_told_and_not_followed_for_ever() -> None:
    skipped = {"run": "sharpen", "when": {"value": "$quality", "equals": "standard"}}
    circle = [
        {"name": "a", "inputs": {"picture": "$steps.b"}, **skipped},
        {"name": "b", "inputs": {"picture": "$steps.a"}, **skipped},
    ]
    assert any("earlier step; there are none" in one for one in problems(with_value(SMALL, "steps", circle)))


def paths(value: object, before: str = "") -> list[str]:
    """Every place in a document."""
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    inner = [one for name, part in parts for one in paths(part, f"{before}.{name}".lstrip("."))]
    return [before, *inner] if before else inner


SCRAPS: list[object] = [
    *(..., None, 0, 1e9, True, "", "low", "engine", "sharpen", "contact_sheet", [], {}),
    *("$prompt", "$face", "$steps.draw", "$steps.grain", "$each", "$quality", "$quality.grain"),
    {"first": ["$face", "$count"]},
    {"fill": "$each", "with": {"a": "$steps.sheet"}},
    {"value": "$face", "given": True},
    {"picture": "$steps.sheet"},
    {"not": {"value": "$quality", "in": ["pro"]}},
]


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(st.sampled_from(paths(DRAWN)), st.sampled_from(SCRAPS)), min_size=1, max_size=4))
def test_whatever_passes_the_check_can_be_planned_and_nothing_crashes(changes: list[tuple[str, object]]) -> None:
    document = DRAWN
    for path, value in changes:
        with contextlib.suppress(KeyError, IndexError, TypeError):  # an earlier change removed that place
            document = with_value(document, path, value)
    try:
        made = parse_preset(document, "")
    except ConfigInvalid:
        return
    for quality in made.quality_levels:
        request = PresetRequest(made, quality, {"prompt": "a", "seed": 1, "look": "warm"})
        assert len(plan_steps(request)) == len(made.steps)


def test_a_step_whose_condition_asks_for_the_input_may_use_one_that_is_optional() -> None:
    optional = with_value(SMALL, "inputs.photo.required", False)
    guarded = with_value(optional, "steps.0.when", {"value": "$photo", "given": True})
    assert preset(guarded).steps[0].when is not None
