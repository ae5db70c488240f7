"""What `windmill run` runs, and what it loads for that."""

import subprocess
import sys
from collections.abc import Sequence

import pytest

from windmill.cli import run
from windmill.cli.parsing import command_parser
from windmill.cli.run import PART_MODULES, make_parts, wanted_parts
from windmill.core.errors import ConfigInvalid, WindmillError
from windmill.core.settings import ROOT, Settings


def wanted(*options: str, **variables: str) -> dict[str, Sequence[str]]:
    arguments = command_parser([run]).parse_args(["run", *options])
    return wanted_parts(Settings.from_env(variables), arguments)


EVERYTHING = {
    "services": ("all",),
    "stages": ("merge", "enrich", "consensus", "hash", "index"),
    "steps": ("all",),
    "gateway": ("on",),
}


def test_without_options_and_settings_it_runs_everything() -> None:
    assert wanted() == EVERYTHING


def test_what_no_option_names_is_what_the_settings_name() -> None:
    assert wanted(SERVICE_NAME="light,clip", STEPS="upscale") == EVERYTHING | {
        "services": ("light", "clip"),
        "steps": ("upscale",),
    }


def test_an_option_goes_before_a_setting() -> None:
    found = wanted("--services", "yolov8", "--steps", "all", SERVICE_NAME="light", STEPS="upscale")
    assert found == EVERYTHING | {"services": ("yolov8",)}


@pytest.mark.parametrize("part", EVERYTHING)
def test_none_leaves_a_part_out(part: str) -> None:
    assert wanted(f"--{part}", "none", SERVICE_NAME="light", STEPS="upscale").keys() == EVERYTHING.keys() - {part}


def test_stages_are_run_in_the_order_in_which_they_depend_on_each_other() -> None:
    assert wanted("--stages", "consensus, merge")["stages"] == ("merge", "consensus")
    assert wanted("--stages", "all")["stages"] == EVERYTHING["stages"]


@pytest.mark.parametrize("text", ["merge,votes", "none,merge", ","])
def test_a_stage_that_is_none_is_refused_with_those_that_there_are(
    text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        wanted("--stages", text)
    assert end.value.code == 2
    assert "nor some of merge, enrich, consensus, hash, index" in capsys.readouterr().err


def test_the_gateway_is_on_or_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    assert wanted("--gateway", "on") == EVERYTHING
    with pytest.raises(SystemExit):
        wanted("--gateway", "8000")
    assert "neither on nor none" in capsys.readouterr().err


def test_a_process_of_no_part_is_refused() -> None:
    with pytest.raises(WindmillError, match="USAGE: nothing is left to run"):
        make_parts(Settings.from_env({}), {})


def test_each_part_is_the_program_that_runs_alone_too() -> None:
    parts = make_parts(Settings.from_env({}), EVERYTHING)
    assert [part.name for part in parts] == list(PART_MODULES) == list(EVERYTHING)
    names = ["worker", "postprocessor", "jobs", "gateway"]
    assert [part.program_name for part in parts] == [f"windmill-{name}" for name in names]
    assert [part.module for part in parts] == ["workers.generic", "postprocessors", "workers.jobs", "gateway"]


def test_what_no_part_knows_is_refused_before_any_part_starts() -> None:
    settings = Settings.from_env({})
    with pytest.raises(WindmillError, match="unknown service or set 'yolo8'"):
        make_parts(settings, {"services": ["yolo8"]})
    with pytest.raises(ConfigInvalid, match="STEPS='up': must be all, or name some of"):
        make_parts(settings, {"steps": ["up"]})


HELP = """
import atexit, sys
atexit.register(lambda: print(*sys.modules))
sys.argv = ["windmill", "run", "--help"]
from windmill.cli.main import main
main()
"""
SERVICES = """
import sys
from windmill.cli.main import main
from windmill.cli.run import make_parts
from windmill.core.settings import Settings
make_parts(Settings.from_env({}), {"services": ["all"]})
print(*sys.modules)
"""


def loaded(script: str) -> set[str]:
    command = [sys.executable, "-c", script]
    return set(subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True).stdout.split())


def test_the_command_loads_no_other_command() -> None:
    commands = {name for name in loaded(HELP) if name.startswith(("windmill.cli", "windmill.operate"))}
    parts = ("main", "parsing", "options", "run")
    assert commands == {"windmill.cli", *(f"windmill.cli.{name}" for name in parts)}


def test_a_part_that_is_left_out_takes_no_memory() -> None:
    assert loaded(SERVICES).isdisjoint(
        {"workers.jobs", "postprocessors", "windmill.pipelines", "numpy", "requests", "fastapi"}
    )
