"""The container image, really built, and a worker that runs from it against real servers and the farm.

No Docker is needed: buildah builds and runs the image, on a base image made of Debian packages.
"""

import os
import signal
import subprocess
import tempfile
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from dev import image, third_party
from dev.servers import files, processes
from tests.conftest import STATE
from tests.e2e.conftest import Farm
from tests.integration.fleet import Finished, Fleet, unavailable
from tests.parallel import free_offset
from tests.waiting import until
from windmill.core.settings import ROOT

pytestmark = [pytest.mark.slow(reason="170 s: builds a container image and its base"), pytest.mark.timeout(900)]

PROGRAMS = {"windmill", "producers", "workers", "postprocessors", "gateway"}
DATA = {"sql", "presets", "service_config.json", "calibration.json"}
NOBODY = 10001
MOST_MEGABYTES = 500


class Container:
    """A container of the image, on the host's network as with `docker run --network host`."""

    def __init__(self, store: image.Store, name: str, folder: Path) -> None:
        self._store = store
        self._name = name
        self._folder = folder

    def command(self, *arguments: str, variables: Mapping[str, str], mount: str) -> list[str]:
        """The command that runs a program in the container as the image's user."""
        given = [f"--env={name}={value}" for name, value in variables.items()]
        return self._store.command(
            "run", "--isolation", "chroot", *given, f"--volume={mount}", self._name, "--", *arguments
        )

    def run(self, *arguments: str, **variables: str) -> Finished:
        """Run a short program. Its output goes to files, as buildah sometimes loses the output of a short process."""
        folder = Path(tempfile.mkdtemp(dir=self._folder))
        folder.chmod(0o777)
        into_files = ("sh", "-c", 'exec "$@" >"$0/out" 2>"$0/err"', str(folder))
        command = self.command(*into_files, *arguments, variables=variables, mount=f"{folder}:{folder}")
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        out, err = ((folder / name).read_text(errors="replace") for name in ("out", "err"))
        return Finished(done.returncode, out, err)


@pytest.fixture(scope="session")
def store(testrun_uid: str) -> image.Store:
    """The store with the image, built once per test run by the first pytest process that needs it."""
    found = image.Store(STATE / "image")
    built = found.directory / "built-by"
    try:
        with files.locked(found.directory / ".test-lock", lambda: None):
            if not built.is_file() or built.read_text() != testrun_uid:
                image.build(found, "windmill", None, lambda _: None)
                built.write_text(testrun_uid)
    except image.CannotBuild as error:
        unavailable(str(error))
    return found


@pytest.fixture(scope="module")
def container(store: image.Store, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Container]:
    with store.container("localhost/windmill") as name:
        yield Container(store, name, tmp_path_factory.mktemp("container"))


@pytest.fixture(scope="session")
def configuration(store: image.Store) -> dict[str, Any]:
    return store.configuration("localhost/windmill")


def test_the_image_names_its_user_command_and_port(configuration: dict[str, Any]) -> None:
    assert configuration["User"] == f"{NOBODY}:{NOBODY}"
    assert configuration["WorkingDir"] == "/windmill"
    assert not configuration.get("Entrypoint")
    assert configuration["Cmd"] == ["python", "-m", "workers.generic"]
    assert list(configuration["ExposedPorts"]) == ["9100/tcp"]
    assert "METRICS_PORT=9100" in configuration["Env"]


def test_the_image_has_a_health_check(configuration: dict[str, Any]) -> None:
    asked = configuration["Healthcheck"]
    assert asked["Test"][:3] == ["CMD", "python", "-c"]
    assert (asked["Interval"], asked["Timeout"], asked["StartPeriod"]) == (30e9, 5e9, 60e9)


def test_the_image_is_small(store: image.Store) -> None:
    assert 100 < store.megabytes("localhost/windmill") < MOST_MEGABYTES


def test_the_image_contains_the_programs_and_their_data_and_nothing_else(container: Container) -> None:
    found = container.run("ls", "-A").out.split()
    assert set(found) - {"__pycache__"} == PROGRAMS | DATA


def test_a_process_in_the_image_is_not_root_and_cannot_change_its_code(container: Container) -> None:
    assert container.run("id", "-u").out.strip() == str(NOBODY)
    changed = container.run("sh", "-c", "echo >>windmill/__init__.py")
    assert changed.code != 0
    assert "Permission denied" in changed.err


def test_the_image_contains_only_locked_libraries_of_the_fleet(container: Container) -> None:
    listed = container.run("python", "-m", "pip", "list", "--format=json").json()
    locked = set(third_party.locked((ROOT / "requirements-gateway.lock").read_text()))
    there = {third_party.LockedPackage(third_party.canonical(one["name"]), one["version"]) for one in listed}
    assert {package.name for package in there - locked} <= {"pip", "setuptools"}
    assert len(there & locked) > 20


@pytest.mark.parametrize("module", ["windmill", "workers.generic", "producers.generic", "postprocessors.all"])
def test_each_program_in_the_image_prints_its_help(container: Container, module: str) -> None:
    explained = container.run("python", "-m", module, "--help")
    assert explained.code == 0, explained.err
    assert "usage:" in explained.out


@pytest.mark.database
@pytest.mark.broker
async def test_a_worker_in_the_image_processes_jobs_from_queue_to_result(
    container: Container, configuration: dict[str, Any], fleet: Fleet, farm: Farm, picture: bytes
) -> None:
    """It runs the image's own command and health check, and stops on SIGTERM as when a container is stopped."""
    images = await fleet.register_pictures(5, picture)
    assert (await fleet.produce("--services", "yolov8")).code == 0
    name, metrics = f"in-a-container-{uuid.uuid4().hex[:8]}", {"METRICS_PORT": str(free_offset([0]))}
    variables = {**fleet.environ, **metrics, "SERVICE_NAME": "yolov8", "WORKER_ID": name}
    _, *asking = configuration["Healthcheck"]["Test"]
    assert container.run(*asking, **metrics).code != 0
    try:
        pictures = fleet.folder / "pictures"
        command = container.command(*configuration["Cmd"], variables=variables, mount=f"{pictures}:{pictures}:ro")
        worker = fleet.start_program(command)
        await fleet.stored(len(images))
        await until(lambda: container.run(*asking, **metrics).code == 0, 30, lambda: f"health\n{worker.log}")
        (pid,) = processes.marked("WORKER_ID", name)
        assert _owner(pid) == NOBODY
        os.kill(pid, signal.SIGTERM)
        end = await worker.finished()
    finally:
        processes.kill_marked("WORKER_ID", name)
    assert end.code == 0, end.err
    rows = await fleet.results("yolov8")
    assert [(row["image_id"], row["worker_id"], row["status"]) for row in rows] == [
        (image_id, name, "success") for image_id in images
    ]
    assert farm.calls("yolov8") == len(images)
    assert await fleet.depth("yolov8") == 0
    assert container.run(*asking, **metrics).code != 0


def _owner(pid: int) -> int:
    return Path(f"/proc/{pid}").stat().st_uid
