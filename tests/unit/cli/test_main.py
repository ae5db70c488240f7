"""python -m windmill itself, before any command runs."""

import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions

import pytest

from windmill.cli import main as module
from windmill.core.settings import ROOT
from windmill.libraries import LIBRARIES


def test_without_a_command_all_commands_are_listed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["windmill"])
    assert module.main() == 2
    said = capsys.readouterr().err
    for name in ("migrate", "status", "show", "failed", "doctor"):
        assert f"\n    {name}" in said


PROGRAMS = [
    "windmill",
    "producers.generic",
    "producers.images",
    "workers.generic",
    *(f"postprocessors.{name}" for name in ("all", "bbox_merger", "consensus", "image_index", "spatial_enrichment")),
    "dev.demo",
    "dev.farm",
    "dev.servers",
]


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_python_without_the_libraries_is_told_in_one_line_with_the_command_that_works(program: str) -> None:
    command = [sys.executable, "-S", "-m", program, "--help"]
    end = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, cwd=ROOT)
    assert end.returncode == 1
    assert end.stderr == f"this Python lacks aio_pika: run `make setup`, then .venv/bin/python -m {program}\n"


def test_who_imports_a_package_without_the_libraries_gets_the_error_of_python() -> None:
    command = [sys.executable, "-S", "-c", "import producers; import producers.generic"]
    end = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, cwd=ROOT)
    assert "ModuleNotFoundError" in end.stderr


def test_every_dependency_is_looked_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    distributions = packages_distributions()
    assert {spelt(re.split(r"[^\w-]", one)[0]) for one in project["dependencies"]} == {
        spelt(distributions[module][0]) for module in LIBRARIES
    }


def spelt(distribution: str) -> str:
    return distribution.lower().replace("_", "-")
