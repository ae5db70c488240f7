"""Two jobs side by side: what was asked for differently, and what came of it."""

from typing import Any

from windmill.operate.jobs.comparing import compare
from windmill.operate.jobs.details import models_of
from windmill.operate.jobs.render_details import render_comparison


def step(name: str, engine: str, **parameters: object) -> dict[str, Any]:
    used = [{"engine": engine, "shards": 1, "facts": {}}]
    same = {"step": "engine", "version": 1, "status": "succeeded", "skip_reason": None, "planned": 1, "failed": 0}
    return {**same, "name": name, "models": [], "engines": used, "parameters": parameters, "ran": 2.5}


def file(name: str, digest: str) -> dict[str, Any]:
    return {"step": "draw", "shard": 0, "name": name, "sha256": digest * 64, "bytes": 10}


def job(public_id: str, **given: object) -> dict[str, Any]:
    made: dict[str, Any] = dict.fromkeys(("kind", "preset", "preset_version", "error_code", "message", "forked_from"))
    made |= {"public_id": public_id, "status": "succeeded", "priority": 0, "cost_seconds": 2.5, "parameters": {}}
    made |= {"started_at": "2026-11-28T10:00:00+00:00", "ended_at": "2026-11-28T10:00:03.5+00:00"}
    made |= {"inputs": {"seed": 1}, "steps": [step("draw", "best", each=[{"seed": 1}])]}
    return {**made, "artifacts": [file("a.png", "a"), file("b.png", "b")], **given}


ONE = job("one")
FORK = job(
    "fork",
    forked_from="one",
    ended_at=None,
    inputs={"seed": 1, "look": "cool"},
    steps=[step("draw", "second", each=[{"seed": 1}]), step("grade", "best")],
    artifacts=[file("a.png", "a"), file("b.png", "c"), file("c.png", "d")],
)


def test_what_differs_is_told_with_both_values_and_what_is_equal_is_not() -> None:
    found = compare(ONE, FORK)
    assert found["jobs"] == ["one", "fork"]
    assert found["differs"] == {"forked_from": [None, "one"]}
    assert found["inputs"] == {"look": [None, "cool"]}
    assert found["parameters"] == {}
    assert found["steps"][0]["differs"] == {"used engines": [["best"], ["second"]]}
    assert found["steps"][1]["ran"] == [None, 2.5]
    assert found["seconds"] == [3.5, None]


def test_files_stand_side_by_side_and_are_equal_by_their_digests() -> None:
    files = compare(ONE, FORK)["artifacts"]
    assert [(one["name"], one["equal"]) for one in files] == [("a.png", True), ("b.png", False), ("c.png", False)]
    assert files[2]["files"][0] is None


def test_a_job_differs_from_itself_in_nothing() -> None:
    found = compare(ONE, ONE)
    assert (found["differs"], found["inputs"], found["steps"][0]["differs"]) == ({}, {}, {})
    assert all(one["equal"] for one in found["artifacts"])


def test_the_table_has_a_line_for_each_difference() -> None:
    text = render_comparison(compare(ONE, FORK))
    for words in (("inputs.look", "-", "cool"), ("seconds", "3.500", "-"), ("draw/0/a.png", "equal")):
        (line,) = [line for line in text.splitlines() if line.startswith(words[0])]
        assert all(word in line for word in words)


def test_models_are_what_the_runs_of_a_step_name() -> None:
    assert models_of(
        {"each": [{"checkpoint": "sd.safetensors", "model": "GFPGAN"}, {"checkpoint": "sd.safetensors"}]}
    ) == [
        "sd.safetensors",
        "GFPGAN",
    ]
    assert models_of({"model": "one"}) == ["one"]
