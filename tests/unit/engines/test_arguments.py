from pathlib import Path

import orjson
import pytest

from windmill.core.errors import WindmillError
from windmill.engines.engine import EngineRequest, JsonValue
from windmill.engines.process.arguments import child_environment, command_line, ignored_parameters, request_line

OUT = "/s/out"


def request(inputs: dict[str, Path] | None = None, **parameters: JsonValue) -> EngineRequest:
    return EngineRequest("job-1", inputs or {}, parameters, Path("/s"))


def test_the_command_line_is_that_of_the_first_system() -> None:
    made = command_line(["python3", "p.py"], request({"input": Path("/a.png")}, prompt="a mill", style="ink", seed=7))
    assert made == [
        *("python3", "p.py", "--input", "/a.png", "--prompt", "a mill", "--style", "ink", "--seed", "7"),
        *("--output-dir", OUT),
    ]


def test_what_is_not_given_has_its_default_and_without_an_input_there_is_none() -> None:
    made = command_line(["p"], request())
    assert made == ["p", "--prompt", "", "--style", "default", "--seed", "0", "--output-dir", OUT]


def test_signs_that_a_shell_would_read_stay_in_the_prompt() -> None:
    prompt = "a (red) [mill]; $HOME `x` & <y> \\ \n 'z'"
    assert prompt in command_line(["p"], request(prompt=prompt))


def test_a_prompt_that_looks_like_an_option_is_none() -> None:
    assert "--prompt=--seed 9" in command_line(["p"], request(prompt="--seed 9"))


def test_only_the_parameters_that_the_program_knows_are_passed() -> None:
    made = command_line(
        ["p"], request(tile_size=3, deep={"a": [1]}, other=1, missing=None), ["tile_size", "deep", "missing"]
    )
    assert made[-6:] == ["--tile-size", "3", "--deep", '{"a":[1]}', "--output-dir", OUT]


def test_further_inputs_go_by_their_names() -> None:
    made = command_line(["p"], request({"mask": Path("/m.png"), "input": Path("/a.png")}))
    assert made[1:5] == ["--input", "/a.png", "--mask", "/m.png"]


def test_a_parameter_that_no_command_line_can_hold_is_refused() -> None:
    with pytest.raises(WindmillError, match="the parameter prompt holds a NUL"):
        command_line(["p"], request(prompt="a\0b"))


def test_the_request_of_a_program_that_stays_alive_is_one_line() -> None:
    line = request_line(request({"input": Path("/a.png")}, prompt="two\nlines"))
    assert line.count(b"\n") == 1
    assert orjson.loads(line) == {
        "id": "job-1",
        "input": "/a.png",
        "inputs": {"input": "/a.png"},
        "parameters": {"prompt": "two\nlines", "seed": 0},
        "output_dir": OUT,
    }


def test_a_program_sees_no_password() -> None:
    environ = {"PATH": "/bin", "LC_ALL": "C", "DB_PASSWORD": "x", "QUEUE_PASSWORD": "x", "AWS_SECRET_ACCESS_KEY": "x"}
    made = child_environment(environ, {"TOKEN": "mine"}, Path("/s"))
    assert made == {"PATH": "/bin", "LC_ALL": "C", "PYTHONUNBUFFERED": "1", "TMPDIR": "/s", "TOKEN": "mine"}


def test_parameters_that_the_program_does_not_take_are_known() -> None:
    given = request(prompt="a", task="draw", seed=1, steps=25, cfg=7.0, style=None, checkpoint=None)
    assert ignored_parameters(given, ["cfg"]) == ["steps"]
