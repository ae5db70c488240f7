"""From a request to the steps that run, with the reason for each that does not."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from tests.unit.pipelines.made_presets import DRAWN, SMALL, preset
from windmill.core.errors import WindmillError
from windmill.kernels.text.json_readers import DocumentInvalid
from windmill.pipelines.presets.planned_steps import FileSource, PlannedStep, plan_steps
from windmill.pipelines.presets.preset_library import SHIPPED, load_presets
from windmill.pipelines.presets.preset_request import PresetRequest, read_request, request_schema
from windmill.pipelines.values import read_values

LIBRARY = load_presets(SHIPPED / "nowhere")
REFERENCE = ["artifact-1", "artifact-2"]


def request(name: str | dict[str, Any], quality: str | None = None, **inputs: object) -> PresetRequest:
    found = LIBRARY.get(name).preset if isinstance(name, str) else preset(name)
    return read_request(found, inputs, quality, consent_given=True, draw_seed=lambda: 77)


def steps(name: str | dict[str, Any], quality: str | None = None, **inputs: object) -> dict[str, PlannedStep]:
    return {step.name: step for step in plan_steps(request(name, quality, **inputs))}


@pytest.mark.parametrize(("quality", "steps_run"), [("low", 1), ("standard", 2), ("pro", 3)])
def test_a_photoreal_portrait_is_restored_from_standard_on_and_enlarged_in_pro(quality: str, steps_run: int) -> None:
    planned = steps("photoreal_portrait_v1", quality, prompt="a face")
    assert list(planned) == ["generate_image", "apply_face_restoration", "upscale"]
    assert [bool(one.parameters) for one in planned.values()] == [number < steps_run for number in range(3)]
    assert [not one.skipped for one in planned.values()] == [number < steps_run for number in range(3)]


@pytest.mark.parametrize(("quality", "steps_run"), [("low", 2), ("standard", 3), ("pro", 4)])
def test_a_cinematic_portrait_is_grained_always_mapped_from_standard_on_and_graded_in_pro(
    quality: str, steps_run: int
) -> None:
    planned = steps("cinematic_portrait_v1", quality, prompt="a face")
    assert list(planned) == ["generate_image", "apply_film_grain", "apply_tone_mapping", "apply_color_grading"]
    assert [not one.skipped for one in planned.values()] == [number < steps_run for number in range(4)]


@pytest.mark.parametrize(("quality", "steps_run"), [("low", 2), ("standard", 2), ("pro", 3)])
def test_an_identity_portrait_is_restored_in_pro(quality: str, steps_run: int) -> None:
    planned = steps("identity_lock_portrait_v1", quality, prompt="a face", identity_reference=REFERENCE)
    assert list(planned) == ["load_identity_reference", "generate_image_with_identity", "apply_face_restoration"]
    assert [not one.skipped for one in planned.values()] == [number < steps_run for number in range(3)]


def test_the_reason_for_a_skipped_step_is_a_sentence() -> None:
    planned = steps("photoreal_portrait_v1", "low", prompt="a face")
    assert planned["apply_face_restoration"].skipped == "face restoration is false, not true"
    assert planned["upscale"].skipped == "upscale is 1, not at least 2"


@pytest.mark.parametrize(
    ("name", "quality", "values"),
    [
        ("photoreal_portrait_v1", "low", {"steps": 25, "cfg": 6.5}),
        ("photoreal_portrait_v1", "standard", {"steps": 40, "cfg": 7.5}),
        ("photoreal_portrait_v1", "pro", {"steps": 50, "cfg": 8.0}),
        ("cinematic_portrait_v1", "low", {"steps": 30, "cfg": 7.0}),
        ("cinematic_portrait_v1", "standard", {"steps": 35, "cfg": 7.5}),
        ("cinematic_portrait_v1", "pro", {"steps": 40, "cfg": 8.0}),
        ("identity_lock_portrait_v1", "low", {"steps": 30, "cfg": 7.0, "identity_weight": 0.6}),
        ("identity_lock_portrait_v1", "standard", {"steps": 35, "cfg": 7.5, "identity_weight": 0.75}),
        ("identity_lock_portrait_v1", "pro", {"steps": 40, "cfg": 8.0, "identity_weight": 0.8}),
    ],
)
def test_a_level_decides_what_the_engine_is_asked_for(name: str, quality: str, values: dict[str, float]) -> None:
    drawn = next(
        one for one in steps(name, quality, prompt="a", identity_reference=REFERENCE).values() if "generate" in one.task
    )
    assert drawn.parameters[0].items() >= values.items()


def test_a_skipped_step_hands_on_what_it_was_given() -> None:
    standard = steps("photoreal_portrait_v1", "pro", prompt="a")
    assert standard["upscale"].inputs == {"picture": FileSource("step", "apply_face_restoration")}
    drawn = steps(DRAWN, "low", prompt="a")
    assert drawn["grade"].skipped
    assert drawn["grain"].inputs == {"picture": FileSource("step", "sheet")}
    assert steps(DRAWN, "pro", prompt="a")["grain"].inputs == {"picture": FileSource("step", "grade")}


def test_files_that_are_not_given_are_left_out_and_given_ones_reach_the_engine() -> None:
    assert steps("photoreal_portrait_v1", prompt="a")["generate_image"].inputs == {}
    given_ones = steps("photoreal_portrait_v1", prompt="a", identity_reference=REFERENCE)["generate_image"].inputs
    assert given_ones == {"identity_reference": FileSource("input", "identity_reference")}


@pytest.mark.parametrize(
    ("quality", "count", "shots"), [("low", None, 2), ("standard", None, 5), ("pro", None, 10), ("pro", 3, 3)]
)
def test_a_storyboard_has_a_shot_for_each_number_and_one_sheet(quality: str, count: int | None, shots: int) -> None:
    planned = steps("storyboard_builder_v1", quality, prompt_template="shot {shot_number} of {x}", shot_count=count)
    prompts = [one["prompt"] for one in planned["generate_shots"].parameters]
    assert prompts == [f"shot {number} of {{x}}" for number in range(1, shots + 1)]
    assert planned["contact_sheet"].inputs == {"pictures": FileSource("step", "generate_shots")}
    assert len(planned["contact_sheet"].parameters) == 1


def test_a_seed_that_is_not_given_is_drawn_once_and_zero_is_a_seed() -> None:
    planned = steps(DRAWN, prompt="a")
    assert planned["draw"].parameters[0]["seed"] == planned["grain"].parameters[0]["seed"] == 77
    assert steps(DRAWN, prompt="a", seed=0)["draw"].parameters[0]["seed"] == 0


def test_null_is_the_same_as_leaving_an_input_out() -> None:
    assert request(DRAWN, prompt="a", look=None, count=None).inputs == request(DRAWN, prompt="a").inputs


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ({}, "prompt is missing; it must be text of 1 to 100 characters"),
        ({"prompt": ""}, "prompt is ''"),
        ({"prompt": " "}, "prompt is ' '"),
        ({"prompt": "a", "promt": 1}, "did you mean 'prompt'?"),
        ({"prompt": "a", "seed": -1}, "must be a whole number from 0 to 4294967296"),
        ({"prompt": "a", "seed": True}, "must be a whole number"),
        ({"prompt": "a", "look": "sepia"}, "must be one of warm, cool"),
        ({"prompt": "a", "face": []}, "a list of 1 to 3 ids"),
        ({"prompt": "a", "face": "x"}, "a list of 1 to 3 ids"),
        ({"prompt": "a", "face": [""]}, "face[0]"),
        ({"prompt": "a", "count": 2.5}, "must be a whole number from 1 to 4"),
    ],
)
def test_a_wrong_input_is_refused_by_its_name(inputs: dict[str, Any], said: str) -> None:
    with pytest.raises(WindmillError) as raised:
        request(DRAWN, **inputs)
    assert (raised.value.code, said in raised.value.message) == ("USAGE", True), raised.value.message


def test_a_level_that_there_is_not_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(WindmillError, match="it has low, pro"):
        request(DRAWN, "high", prompt="a")


@pytest.mark.parametrize(
    ("name", "inputs", "needed"),
    [
        ("photoreal_portrait_v1", {"prompt": "a"}, False),
        ("photoreal_portrait_v1", {"prompt": "a", "identity_reference": REFERENCE}, True),
        ("cinematic_portrait_v1", {"prompt": "a", "identity_reference": REFERENCE}, True),
        ("identity_lock_portrait_v1", {"prompt": "a", "identity_reference": REFERENCE}, True),
        ("upscale_denoise_image_v1", {"image": "a"}, False),
    ],
)
def test_consent_is_asked_for_where_the_preset_says_so(name: str, inputs: dict[str, Any], needed: bool) -> None:
    found = LIBRARY.get(name).preset
    try:
        read_request(found, inputs, None, consent_given=False, draw_seed=lambda: 1)
        asked = False
    except WindmillError as error:
        asked = error.code == "CONSENT_MISSING"
    assert asked == needed


def test_an_unknown_preset_is_told_with_the_nearest() -> None:
    with pytest.raises(WindmillError, match=r"did you mean 'photoreal_portrait_v1'\?"):
        LIBRARY.get("photoreal_portrait_v2")


@pytest.mark.parametrize("name", LIBRARY.found)
def test_the_schema_of_a_shipped_preset_is_valid_and_accepts_its_own_examples(name: str) -> None:
    found = LIBRARY.get(name).preset
    schema = request_schema(found)
    Draft202012Validator.check_schema(schema)
    made = {key: (spec.examples or ("some-id",))[0] for key, spec in found.inputs.items() if spec.required}
    made |= {key: ["some-id"] for key, spec in found.inputs.items() if spec.required and spec.type == "images"}
    Draft202012Validator(schema).validate(made)


MADE = preset(DRAWN)
_JSON = st.none() | st.booleans() | st.integers(-3, 2**33) | st.text(max_size=4) | st.just("warm") | st.just("a {n}")
_VALUES = _JSON | st.lists(_JSON, max_size=5)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from([*DRAWN["inputs"], "other"]), _VALUES, max_size=6))
def test_the_schema_accepts_exactly_what_the_reader_accepts(inputs: dict[str, Any]) -> None:
    accepted = Draft202012Validator(request_schema(MADE)).is_valid(inputs)
    try:
        read_values(MADE.inputs, inputs)
        read = True
    except DocumentInvalid:
        read = False
    assert accepted == read


def test_a_preset_without_levels_has_one() -> None:
    made = request(SMALL, photo="x")
    assert made.quality == "standard"
    assert [step.inputs for step in plan_steps(made)] == [{"picture": FileSource("input", "photo")}]
