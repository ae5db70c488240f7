"""deploy/install.sh under a prefix: real files, no root, and a stand-in for Python so that nothing is downloaded."""

import os
import shutil
import stat
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from windmill.core.settings import ROOT

SCRIPT = ROOT / "deploy" / "install.sh"
K3 = ROOT / "deploy" / "cluster" / "k3.env"
MAIN = ROOT / "deploy" / "cluster" / "main.env"

PYTHON = """#!/bin/sh
echo "$*" >>"$ASKED"
[ "$1 $2" != "-m venv" ] || { mkdir -p "$4/bin" && cp "$0" "$4/bin/python"; }
"""

Install = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def asked(tmp_path: Path) -> Path:
    """What was asked of Python, a line for each call."""
    return tmp_path / "asked"


@pytest.fixture
def prefix(tmp_path: Path) -> Path:
    return tmp_path / "machine"


@pytest.fixture(scope="module")
def few_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout of one program: most tests ask for units and settings, and all files take a second to copy."""
    checkout = tmp_path_factory.mktemp("checkout")
    for part in ("deploy", "workers"):
        shutil.copytree(ROOT / part, checkout / part)
    for lock in ROOT.glob("requirements-*.lock"):
        shutil.copy(lock, checkout)
    return checkout


@pytest.fixture
def install(few_files: Path, tmp_path: Path, asked: Path, prefix: Path) -> Install:
    return installing(few_files, tmp_path / "python", asked, prefix)


@pytest.fixture
def install_all(tmp_path: Path, asked: Path, prefix: Path) -> Install:
    return installing(ROOT, tmp_path / "python", asked, prefix)


def installing(checkout: Path, python: Path, asked: Path, prefix: Path) -> Install:
    python.write_text(PYTHON)
    python.chmod(0o755)

    def start(*arguments: object, code: int = 0) -> subprocess.CompletedProcess[str]:
        ended = subprocess.run(
            ["sh", checkout / "deploy/install.sh", "--prefix", prefix, *map(str, arguments)],
            env=os.environ | {"PYTHON": str(python), "ASKED": str(asked)},
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert ended.returncode == code, ended.stderr
        return ended

    return start


def everything(folder: Path) -> dict[str, str]:
    """Each file and link under the folder with what it holds."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_symlink():
            found[str(path.relative_to(folder))] = f"-> {path.readlink()}"
        elif path.is_file() and "__pycache__" not in path.parts:
            found[str(path.relative_to(folder))] = path.read_text(encoding="utf-8", errors="replace")
    return found


def wanted(prefix: Path) -> set[str]:
    return {link.name for link in (prefix / "etc/systemd/system/windmill.target.wants").iterdir()}


def test_the_script_is_free_of_what_shellcheck_knows() -> None:
    program = Path(sys.executable).with_name("shellcheck")
    checked = subprocess.run([program, SCRIPT], capture_output=True, timeout=60)
    assert (checked.returncode, checked.stdout.decode()) == (0, "")


def test_a_node_gets_code_settings_units_and_its_worker(install_all: Install, prefix: Path) -> None:
    install_all(K3)
    found = everything(prefix)
    assert found["etc/windmill/k3.env"] == K3.read_text(encoding="utf-8")
    assert {"opt/windmill/workers/generic.py", "opt/windmill/sql/queries/results.sql"} <= found.keys()
    assert not any(name.startswith(("opt/windmill/tests", "opt/windmill/dev")) for name in found)
    assert found["etc/systemd/system/multi-user.target.wants/windmill.target"] == "-> ../windmill.target"
    assert wanted(prefix) == {"windmill-worker@k3.service"}
    link = prefix / "etc/systemd/system/windmill.target.wants/windmill-worker@k3.service"
    assert link.resolve().name == "windmill-worker@.service"


def test_every_program_of_the_project_is_installed(install_all: Install, prefix: Path) -> None:
    """A new one has to be added to `parts`."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    packages = set(project["tool"]["importlinter"]["root_packages"]) - {"deploy", "dev"}
    install_all(K3)
    assert packages <= {path.name for path in (prefix / "opt/windmill").iterdir()}


def test_libraries_are_those_of_the_lock_with_their_hashes(install: Install, few_files: Path, asked: Path) -> None:
    install(K3)
    (pip,) = [line for line in asked.read_text().splitlines() if "pip install" in line]
    assert pip.endswith(f"--require-hashes -r {few_files}/requirements-gateway.lock")


def test_passwords_can_be_read_by_root_alone(install: Install, prefix: Path) -> None:
    install(K3)
    assert stat.S_IMODE((prefix / "etc/windmill/k3.env").stat().st_mode) == 0o600


def test_installing_twice_changes_nothing(install: Install, prefix: Path, asked: Path) -> None:
    install(MAIN)
    before = everything(prefix)
    asked.unlink()
    install(MAIN)
    assert everything(prefix) == before
    assert "pip install" not in asked.read_text(), "the libraries are there"


def test_a_new_lock_makes_a_new_environment(install: Install, prefix: Path, asked: Path) -> None:
    install(K3)
    (prefix / "opt/windmill/.venv/installed.lock").write_text("older")
    asked.unlink()
    install(K3)
    assert "pip install" in asked.read_text()


def test_code_that_is_no_more_goes_with_an_update(install: Install, prefix: Path) -> None:
    install(K3)
    gone = prefix / "opt/windmill/workers/gone.py"
    gone.touch()
    install(K3)
    assert not gone.exists()


def test_what_was_edited_on_the_machine_stays_and_counts(install: Install, prefix: Path) -> None:
    install(K3)
    edited = prefix / "etc/windmill/k3.env"
    edited.write_text("SERVICE_NAME=\nNODE_POSTPROCESSORS=consensus\nDB_PASSWORD=p\n")
    said = install(K3).stdout
    assert "kept" in said
    assert edited.read_text().endswith("DB_PASSWORD=p\n")
    assert wanted(prefix) == {"windmill-postprocessor@consensus.service"}


def test_a_machine_that_names_steps_gets_a_worker_for_jobs(install: Install, prefix: Path, tmp_path: Path) -> None:
    node = tmp_path / "studio.env"
    node.write_text("STEPS=all\nNODE_POSTPROCESSORS=consensus\n")
    install(node)
    assert wanted(prefix) == {"windmill-jobs@studio.service", "windmill-postprocessor@consensus.service"}
    assert (prefix / "etc/systemd/system/windmill-jobs@.service").is_file()


def test_a_small_machine_runs_everything_in_one_process(install: Install, prefix: Path, tmp_path: Path) -> None:
    node = tmp_path / "pi.env"
    node.write_text("NODE_RUN=yes\nSERVICE_NAME=light\nSTEPS=all\nNODE_POSTPROCESSORS=all\n")
    install(node)
    assert wanted(prefix) == {"windmill-run.service"}
    assert (prefix / "etc/systemd/system/windmill.target.wants/windmill-run.service").resolve().is_file()
    assert (prefix / "etc/windmill/run.env").readlink() == Path("pi.env")


def test_a_machine_that_has_grown_gets_its_programs_back(install: Install, prefix: Path, tmp_path: Path) -> None:
    node = tmp_path / "pi.env"
    node.write_text("NODE_RUN=yes\n")
    install(node)
    (prefix / "etc/windmill/pi.env").write_text("NODE_RUN=no\nSERVICE_NAME=clip\n")
    install()
    assert wanted(prefix) == {"windmill-worker@pi.service"}
    assert [file.name for file in (prefix / "etc/windmill").iterdir()] == ["pi.env"]


def test_a_machine_that_names_a_port_gets_a_gateway(install: Install, prefix: Path, tmp_path: Path) -> None:
    node = tmp_path / "door.env"
    node.write_text("GATEWAY_PORT=8000\n")
    install(node)
    assert wanted(prefix) == {"windmill-gateway@door.service"}


def test_without_a_file_it_brings_up_to_date_what_is_there(install: Install, prefix: Path) -> None:
    install(K3, MAIN)
    before = everything(prefix)
    install()
    assert everything(prefix) == before


def test_a_post_processor_reads_the_settings_of_its_node(install: Install, prefix: Path) -> None:
    install(MAIN)
    assert (prefix / "etc/windmill/bbox_merger.env").readlink() == Path("main.env")
    assert wanted(prefix) == {"windmill-worker@main.service", "windmill-postprocessor@bbox_merger.service"}


def test_a_post_processor_that_moved_away_leaves_no_link(install: Install, prefix: Path) -> None:
    install(MAIN)
    (prefix / "etc/windmill/main.env").write_text("SERVICE_NAME=clip\n")
    install()
    assert wanted(prefix) == {"windmill-worker@main.service"}
    assert [file.name for file in (prefix / "etc/windmill").iterdir()] == ["main.env"]


def test_the_farm_comes_only_when_asked_for(install_all: Install, prefix: Path, asked: Path) -> None:
    install_all("--farm")
    assert wanted(prefix) == {"windmill-farm.service"}
    assert (prefix / "opt/windmill/dev/farm/cli.py").is_file()
    assert f"-r {ROOT}/requirements-farm.lock" in asked.read_text()


def test_a_dry_run_touches_nothing_and_names_what_it_would_do(install: Install, prefix: Path) -> None:
    said = install("--dry-run", MAIN).stdout
    assert not prefix.exists()
    assert f"would run: install -m 600 {MAIN} {prefix}/etc/windmill/main.env" in said
    assert "windmill-postprocessor@bbox_merger.service" in said


def test_a_dry_run_for_this_machine_shows_what_systemd_would_be_told() -> None:
    ended = subprocess.run(
        ["sh", SCRIPT, "--dry-run", K3],
        env=os.environ | {"PYTHON": sys.executable},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ended.returncode == 0, ended.stderr
    assert "would run: systemctl daemon-reload" in ended.stdout
    assert "would run: systemctl start --no-block windmill.target" in ended.stdout


def test_uninstalling_leaves_the_settings_alone_and_nothing_else(install: Install, prefix: Path) -> None:
    install("--farm", MAIN, K3)
    install("--uninstall")
    assert set(everything(prefix)) == {"etc/windmill/main.env", "etc/windmill/k3.env"}
    assert not (prefix / "opt/windmill").exists()


def test_purging_leaves_nothing(install: Install, prefix: Path) -> None:
    install(MAIN)
    install("--uninstall", "--purge")
    assert everything(prefix) == {}
    assert not (prefix / "etc/windmill").exists()


def test_uninstalling_what_is_not_there_is_fine(install: Install, prefix: Path) -> None:
    install("--uninstall", "--purge")
    assert not prefix.exists()


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("gone.env", None, "no such file"),
        ("k3.txt", "", "must end in .env"),
        ("a b.env", "", "letters, digits"),
        ("consensus.env", "", "name of a post-processor"),
        ("k9.env", "NODE_POSTPROCESSORS=consensus,merger", "no post-processor merger"),
        ("run.env", "NODE_RUN=yes", "has a link of that name"),
        ("k9.env", "NODE_RUN=all", "must be yes or no"),
    ],
)
def test_a_wrong_file_is_told_before_anything_is_done(
    name: str, text: str | None, said: str, install: Install, prefix: Path
) -> None:
    node = prefix.parent / name
    if text is not None:
        node.write_text(text)
    assert said in install(node, code=2).stderr
    assert not prefix.exists()


@pytest.mark.parametrize("arguments", [["--uninstal"], ["--purge"], ["--uninstall", "x.env"], ["--prefix"]])
def test_wrong_usage_exits_with_2_and_does_nothing(arguments: list[str], install: Install, prefix: Path) -> None:
    assert install(*arguments, code=2).stderr.startswith("install.sh: ")
    assert not prefix.exists()


def test_an_old_python_is_told_before_anything_is_done(install: Install, prefix: Path, tmp_path: Path) -> None:
    (tmp_path / "python").write_text("#!/bin/sh\nexit 1\n")
    assert "Python 3.11 or newer" in install(K3, code=2).stderr
    assert not prefix.exists()
