"""What of a job would fail here is told before it runs."""

from gateway.jobs.making import engine_warnings
from windmill.jobs.submitting import NewJob, NewStep


def step(name: str, *engines: str, skipped: str | None = None) -> NewStep:
    return NewStep("engine", 1, parameters={"name": name, "engines": list(engines)}, skip_reason=skipped)


def test_steps_whose_engines_are_not_configured_are_warned_of_with_those_that_are() -> None:
    steps = [
        step("draw", "flux", "sdxl"),
        step("see", "flux", "default"),
        step("grade", "flux", skipped="not asked for"),
        NewStep("grain", 1, parameters={"name": "grain"}),
    ]
    [said] = engine_warnings(NewJob("film", steps), {"fleet", "default"})
    assert said.startswith("the step draw asks for flux or sdxl, ")
    assert said.endswith("name others in `engines`, of default, fleet")
    assert engine_warnings(NewJob("film", steps), None) == [], "who does not know the engines warns of none"
