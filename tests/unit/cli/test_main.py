"""python -m windmill itself, before any command runs."""

import subprocess
import sys

import pytest

from windmill.cli import main as module
from windmill.core.settings import ROOT


def test_without_a_command_all_commands_are_listed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["windmill"])
    assert module.main() == 2
    said = capsys.readouterr().err
    for name in ("migrate", "status", "show", "failed", "doctor"):
        assert f"\n    {name}" in said


def test_a_python_without_the_libraries_is_told_in_one_line() -> None:
    command = [
        sys.executable,
        "-I",
        "-S",
        "-c",
        f"import sys; sys.path.insert(0, {str(ROOT)!r}); import windmill.__main__",
    ]
    end = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert end.returncode == 1
    assert end.stderr.count("\n") == 1
    assert "make setup" in end.stderr
