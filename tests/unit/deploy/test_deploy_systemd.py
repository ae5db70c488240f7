"""The units of deploy/systemd, as systemd itself reads them, and the programs that they start."""

import importlib.util
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from dev.servers.files import write_private
from tests.integration.fleet import unavailable
from windmill.core.settings import ROOT
from windmill.core.stages import STAGES
from windmill.process.systemd import STALL_SECONDS

UNITS = ROOT / "deploy" / "systemd"
POSTPROCESSORS = [*sorted(spec.program for spec in STAGES.values()), "all"]
INSTANCES = [
    "windmill-run.service",
    "windmill-worker@k3.service",
    "windmill-jobs@main.service",
    "windmill-gateway@main.service",
    *(f"windmill-postprocessor@{one}.service" for one in POSTPROCESSORS),
    "windmill-farm.service",
]
SERVICES = sorted(UNITS.glob("*.service"), key=str)
EXPOSURE = {
    "windmill-run.service": 1.2,
    "windmill-worker@.service": 1.2,
    "windmill-jobs@.service": 1.2,
    "windmill-gateway@.service": 1.2,
    "windmill-postprocessor@.service": 1.2,
    "windmill-farm.service": 0.9,
}


def analyze(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    program = shutil.which("systemd-analyze")
    if program is None:
        unavailable("systemd-analyze is not here; on Debian: apt install systemd")
    return subprocess.run([str(program), *arguments], cwd=cwd, capture_output=True, text=True, timeout=60)


@pytest.fixture
def units(tmp_path: Path) -> Path:
    """The units with a Python that is there: systemd looks whether it is."""
    for file in UNITS.iterdir():
        text = file.read_text(encoding="utf-8").replace("/opt/windmill/.venv/bin/python", "/bin/true")
        write_private(tmp_path / file.name, text)
    return tmp_path


def setting(file: Path, name: str) -> list[str]:
    return re.findall(rf"^{name}=(.*)$", file.read_text(encoding="utf-8"), re.MULTILINE)


def test_systemd_has_nothing_to_say_against_any_unit(units: Path) -> None:
    checked = analyze("verify", "windmill.target", *(f"./{one}" for one in INSTANCES), cwd=units)
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")


def test_the_unit_says_which_post_processors_there_are() -> None:
    said = (UNITS / "windmill-postprocessor@.service").read_text(encoding="utf-8").partition("\n")[0]
    assert re.findall(r"\w+", said.partition(" is ")[2].replace(" or ", " ")) == POSTPROCESSORS


def test_systemd_finds_a_mistake_in_a_unit_if_there_is_one(units: Path) -> None:
    file = units / "windmill-farm.service"
    file.write_text(file.read_text(encoding="utf-8").replace("PrivateTmp=yes", "PrivateTemp=yes"))
    assert "PrivateTemp" in analyze("verify", "./windmill-farm.service", cwd=units).stderr


@pytest.mark.parametrize("unit", sorted(EXPOSURE))
def test_what_a_unit_exposes_stays_as_little_as_the_page_says(unit: str, units: Path) -> None:
    limit = round(EXPOSURE[unit] * 10)
    checked = analyze("security", "--offline=true", f"--threshold={limit}", f"./{unit}", cwd=units)
    assert checked.returncode == 0, checked.stdout
    assert f"| `{unit}` | {EXPOSURE[unit]} |" in (ROOT / "docs" / "deployment.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("file", SERVICES, ids=lambda file: file.name)
def test_a_mistake_in_the_settings_is_not_tried_again(file: Path) -> None:
    assert setting(file, "Restart") == ["on-failure"]
    assert setting(file, "RestartPreventExitStatus") == ["2"]


@pytest.mark.parametrize("instance", INSTANCES)
def test_every_unit_starts_a_program_that_is_there(instance: str) -> None:
    template, _, name = instance.removesuffix(".service").partition("@")
    file = UNITS / (f"{template}@.service" if name else instance)
    (command,) = setting(file, "ExecStart")
    module = command.split(" -m ")[1].split()[0].replace("%i", name)
    assert importlib.util.find_spec(module) is not None


def test_the_watchdog_waits_longer_than_a_main_loop_may_rest() -> None:
    watched = [setting(file, "WatchdogSec") for file in SERVICES if setting(file, "Type") == ["notify"]]
    assert len(watched) == 5
    assert all(int(seconds) > STALL_SECONDS for (seconds,) in watched)
