"""The real farm on ports of its own, shared by the tests; each begins with no faults and no counts."""

import json
import signal
import subprocess
import sys
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from dev.farm.addresses import DEFAULT_PORT
from dev.farm.remote import RemoteFarm
from dev.farm.scenes import encode, make_scene
from tests.integration.fleet import Fleet, clean_environment
from tests.parallel import free_offset
from tests.waiting import until
from windmill.core.services import load_fleet
from windmill.core.settings import ROOT

CONFIG = ROOT / "service_config.json"


@dataclass
class Farm:
    """A farm that runs: what a fleet sets to find it, and its faults and counts."""

    offset: int
    control: RemoteFarm

    def misbehave(self, service: str, **faults: float) -> None:
        self.control.set_faults([service], {name.replace("_", "-"): value for name, value in faults.items()})

    def behave(self, service: str) -> None:
        self.control.clear_faults([service])

    def in_flight(self) -> int:
        """Calls that are under way; a stand-in works on when its client has left."""
        return sum(int(one["in_flight"]) for one in self.control.counts().values())

    def calls(self, service: str) -> int:
        return int(self.control.counts()[service]["total"])


def started_farm(config: Path, folder: Path) -> Generator[Farm, None, None]:
    offset = free_offset([DEFAULT_PORT, *(service.port for service in load_fleet(config).services.values())])
    with (folder / "farm.err").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "dev.farm", "--port-offset", str(offset), "--json"],
            stdout=subprocess.PIPE,
            stderr=log,
            cwd=ROOT,
            env={**clean_environment(folder), "SERVICE_CONFIG": str(config)},
        )
        with process:
            try:
                assert process.stdout
                control = json.loads(process.stdout.readline())["control"]
                yield Farm(offset, RemoteFarm(control))
            finally:
                process.send_signal(signal.SIGTERM)
                code = process.wait(20)
    assert code == 0, (folder / "farm.err").read_text()


@pytest.fixture(scope="session")
def whole_farm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Farm]:
    yield from started_farm(CONFIG, tmp_path_factory.mktemp("farm"))


@pytest.fixture
async def farm(whole_farm: Farm, fleet: Fleet) -> Farm:
    """The shared farm, well-behaved, with nothing left of the test before, and found by all commands of this one's
    fleet."""
    whole_farm.control.clear_faults(list(whole_farm.control.services()))
    await until(lambda: not whole_farm.in_flight(), 30, whole_farm.control.counts)
    whole_farm.control.reset_counts()
    fleet.environ["SERVICE_PORT_OFFSET"] = str(whole_farm.offset)
    return whole_farm


@pytest.fixture(scope="session")
def picture() -> bytes:
    """A drawn scene as a JPEG file, which every stand-in can read."""
    return encode(make_scene(7, 1))
