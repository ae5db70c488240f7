"""What somebody types becomes a request; what they fetch lies where they can find it."""

from pathlib import Path
from typing import Any

import pytest

from tests.unit.pipelines.made_presets import DRAWN, preset
from windmill.core.errors import WindmillError
from windmill.operate.jobs.preset_orders import PresetOrder, read_order
from windmill.operate.jobs.target_names import select_files, target_names
from windmill.operate.jobs.watching import exit_code_of

DRAWING = preset(DRAWN)


def read(files: dict[str, list[Path]] | None = None, **inputs: list[str]) -> dict[str, Any]:
    order = PresetOrder("drawn", {"prompt": ["a cat"], **inputs}, files or {}, consent=True)
    return dict(read_order(DRAWING, order).inputs)


def test_texts_become_values_of_the_types_of_their_inputs() -> None:
    found = read(prompt=["12"], count=["3"], seed=["7"], face=["id"])
    assert found == {"prompt": "12", "count": 3, "seed": 7, "look": "warm", "face": ["id"]}


def test_a_seed_that_is_not_given_is_drawn() -> None:
    assert 0 <= read()["seed"] <= 2**32


def test_files_count_as_given() -> None:
    assert len(read({"face": [Path("a.png"), Path("b.png")]}, face=["id"])["face"]) == 3


@pytest.mark.parametrize(
    ("inputs", "files", "said"),
    [
        ({"count": ["many"]}, {}, "count"),
        ({"seed": ["1", "2"]}, {}, "seed is given 2 times"),
        ({"colour": ["red"]}, {}, "colour"),
        ({}, {"prompt": [Path("a.txt")]}, "prompt is text, not a file"),
        ({}, {"face": [Path(f"{number}.png") for number in range(4)]}, "face"),
    ],
)
def test_what_does_not_fit_an_input_is_refused_by_its_name(
    inputs: dict[str, list[str]], files: dict[str, list[Path]], said: str
) -> None:
    with pytest.raises(WindmillError, match=f"USAGE: .*{said}"):
        read(files, **inputs)


def file(step: str | None, name: str, shard: int = 0) -> dict[str, Any]:
    return {"step": step, "shard": shard, "name": name}


def test_what_the_last_step_has_made_is_fetched_unless_another_is_named() -> None:
    files = [file(None, "image/1.png"), file("draw", "a.png"), file("grade", "b.png")]
    assert [one["name"] for one in select_files(files, None)] == ["b.png"]
    assert [one["name"] for one in select_files(files, "draw")] == ["a.png"]


@pytest.mark.parametrize(("files", "step"), [([file(None, "image/1.png")], None), ([file("draw", "a.png")], "grade")])
def test_a_job_that_has_made_nothing_yet_says_so(files: list[dict[str, Any]], step: str | None) -> None:
    with pytest.raises(WindmillError, match="NOT_FOUND"):
        select_files(files, step)


def test_files_of_several_shards_lie_in_a_folder_for_each() -> None:
    assert target_names([file("draw", "a.png")]) == ["a.png"]
    assert target_names([file("draw", "a.png"), file("draw", "a.png", 1)]) == ["1/a.png", "2/a.png"]


@pytest.mark.parametrize("name", ["../a.png", "/etc/passwd", "a/../../b"])
def test_a_name_that_leads_out_of_the_folder_is_refused(name: str) -> None:
    with pytest.raises(WindmillError, match="leads out of the folder"):
        target_names([file("draw", name)])


@pytest.mark.parametrize(
    ("status", "code", "exit_code"),
    [
        ("succeeded", None, 0),
        ("running", None, 0),
        ("failed", "USAGE", 2),
        ("failed", None, 1),
        ("cancelled", "CANCELLED", 1),
    ],
)
def test_watching_ends_with_the_exit_code_of_the_error(status: str, code: str | None, exit_code: int) -> None:
    assert exit_code_of({"status": status, "error_code": code}) == exit_code
