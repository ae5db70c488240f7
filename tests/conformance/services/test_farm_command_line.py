"""The farm as a user starts it: a process, its commands, and its end by a signal."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from dev.farm.addresses import DEFAULT_PORT
from tests.conformance.services import pictures
from tests.parallel import free_offset
from windmill.core.settings import ROOT

CONFIGURED = json.loads((ROOT / "service_config.json").read_text(encoding="utf-8"))["services"]
OFFSET = free_offset([DEFAULT_PORT, *(entry["port"] for entry in CONFIGURED.values())])
PATIENCE = 60
SLOW = pytest.mark.slow(reason="2 s each: a process for every mistake")
NO_SETTINGS = Path(__file__).parent / "no_settings.env"


def environment(**more: str) -> dict[str, str]:
    """Of the user's own settings, none."""
    kept = {key: os.environ[key] for key in ("PATH", "HOME") if key in os.environ}
    own = {"ENV_FILE": str(NO_SETTINGS), "SERVICE_NAME": "", "SERVICE_CONFIG": "service_config.json"}
    return kept | own | {"SERVICE_PORT_OFFSET": str(OFFSET)} | more


def farm(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run one command to its end."""
    command = [sys.executable, "-m", "dev.farm", *arguments]
    return subprocess.run(
        command, cwd=ROOT, env=environment(**more), capture_output=True, text=True, timeout=PATIENCE, check=False
    )


@contextmanager
def served(*arguments: str, **more: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, str]]]:
    """A farm process that says it is ready, and its addresses."""
    command = [sys.executable, "-m", "dev.farm", "--json", *arguments]
    with subprocess.Popen(
        command, cwd=ROOT, env=environment(**more), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            said = process.stdout.readline()
            if not said:
                pytest.fail(f"the farm did not start: {process.communicate(timeout=PATIENCE)[1]}")
            yield process, json.loads(said)["services"]
        finally:
            process.kill()


def other_farm(*more: int) -> tuple[str, str]:
    """Port offset and control port of a farm beside the whole one."""
    offset = free_offset([DEFAULT_PORT, *(entry["port"] for entry in CONFIGURED.values()), *more])
    return str(offset), str(DEFAULT_PORT + offset)


@pytest.fixture(scope="module")
def whole_farm() -> Iterator[dict[str, str]]:
    """All 13 services in one process."""
    with served() as (_, addresses):
        yield addresses


def test_all_services_of_the_configuration_answer_in_one_process(whole_farm: dict[str, str]) -> None:
    ports = {name: int(url.rpartition(":")[2]) - OFFSET for name, url in whole_farm.items()}
    assert ports == {name: entry["port"] for name, entry in CONFIGURED.items()}
    for url in whole_farm.values():
        reply = requests.post(f"{url}/v3/analyze", files={"file": ("image.jpg", pictures.PLAIN)}, timeout=PATIENCE)
        assert reply.status_code == 200


def test_faults_are_switched_from_the_command_line_while_it_runs(whole_farm: dict[str, str]) -> None:
    url = f"{whole_farm['yolov8']}/analyze"

    def status() -> int:
        return requests.post(url, files={"file": ("image.jpg", pictures.PLAIN)}, timeout=PATIENCE).status_code

    assert farm("fault", "set", "yolov8", "error-rate=1", "slowness=0.01").returncode == 0
    assert status() == 500
    shown = json.loads(farm("fault", "show", "--json").stdout)
    assert {name: knobs for name, knobs in shown.items() if knobs} == {"yolov8": {"error-rate": 1, "slowness": 0.01}}
    cleared = farm("fault", "clear", "all")
    assert (cleared.returncode, cleared.stdout) == (0, "no faults are on\n")
    assert status() == 200


def test_counts_are_shown_as_json_and_as_lines(whole_farm: dict[str, str]) -> None:
    farm("counts", "--reset")
    requests.get(f"{whole_farm['nsfw2']}/health", timeout=PATIENCE)
    assert json.loads(farm("counts", "--json").stdout)["nsfw2"]["requests"] == {"GET /health": {"200": 1}}
    assert "nsfw2" in farm("counts").stdout


def test_check_exits_0_when_the_contract_is_kept_and_1_when_not(whole_farm: dict[str, str]) -> None:
    kept = farm("check", whole_farm["ocr"], "--service", "ocr", "--health")
    assert (kept.returncode, "departs" in kept.stdout) == (0, False)
    departing = farm("check", whole_farm["ocr"], "--service", "face", "--json")
    assert departing.returncode == 1
    assert json.loads(departing.stdout)["ok"] is False


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("fault", "set", "yolo", "error-rate=1"), 2, "did you mean 'yolov8'"),
        (("check", "http://127.0.0.1:1", "--service", "clip"), 1, "nothing answers at http://127.0.0.1:1"),
        (("--host", "192.0.2.1"), 2, "on 192.0.2.1 for blip"),
        pytest.param(("fault", "set", "yolov8", "eror-rate=1"), 2, "did you mean 'error-rate'", marks=SLOW),
        pytest.param(("check", "http://127.0.0.1:1", "--service", "nobody"), 2, "unknown service", marks=SLOW),
        pytest.param(("counts", "--control-port", "1"), 1, "no farm answers at http://127.0.0.1:1", marks=SLOW),
        pytest.param(("--services", "nobody"), 2, "unknown service or set 'nobody'", marks=SLOW),
        pytest.param(("--port-offset", "60000"), 2, "ports end at 65535", marks=SLOW),
        pytest.param(("--port-offset", "300", "--control-port", "70000"), 2, "for the control port", marks=SLOW),
        pytest.param(("sing",), 2, "invalid choice", marks=SLOW),
    ],
)
def test_a_users_mistake_is_one_line_with_its_remedy(
    whole_farm: dict[str, str], arguments: tuple[str, ...], code: int, said: str
) -> None:
    done = farm(*arguments)
    assert (done.returncode, "Traceback" in done.stderr) == (code, False)
    assert said in done.stderr


def test_a_port_that_is_taken_is_named_with_its_service(whole_farm: dict[str, str]) -> None:
    done = farm("--services", "clip")
    assert done.returncode == 75
    assert f"cannot open port {7778 + OFFSET} on 127.0.0.1 for clip" in done.stderr
    assert "--port-offset" in done.stderr


def test_a_fault_for_a_service_that_is_not_served_is_refused() -> None:
    offset, control = other_farm()
    with served("--services", "clip", "--port-offset", offset, "--control-port", control):
        done = farm("fault", "set", "yolov8", "down", "--control-port", control)
    assert (done.returncode, "it serves: clip" in done.stderr) == (2, True)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_farm_cleanly_even_with_requests_under_way(number: signal.Signals) -> None:
    offset, control = other_farm()
    with served("--port-offset", offset, "--control-port", control, SERVICE_NAME="face,clip") as (
        process,
        addresses,
    ):
        assert list(addresses) == ["clip", "face"]
        farm("fault", "set", "face", "timeout-rate", "--control-port", control)
        port = int(addresses["face"].rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as waiting:
            waiting.sendall(b"GET /analyze HTTP/1.1\r\nHost: x\r\n\r\n")
            process.send_signal(number)
            _, errors = process.communicate(timeout=PATIENCE)
    assert (process.returncode, "Traceback" in errors) == (0, False), errors


def test_a_fourteenth_service_is_served_on_its_own_path(tmp_path: Path) -> None:
    config = {
        "services": {
            "depth": {
                "port": 7999,
                "path": "/estimate",
                "category": "primary",
                "transport": "upload",
                "concurrency": 1,
                "timeout_seconds": 5,
                "max_upload_bytes": 8_388_608,
                "sets": [],
                "feeds": [],
            }
        }
    }
    (tmp_path / "services.json").write_text(json.dumps(config))
    offset, control = other_farm(7999)
    with served("--port-offset", offset, "--control-port", control, SERVICE_CONFIG=str(tmp_path / "services.json")) as (
        _,
        addresses,
    ):
        reply = requests.post(f"{addresses['depth']}/estimate", files={"file": ("a.jpg", pictures.PLAIN)}, timeout=9)
    assert reply.json()["predictions"] == []
    assert reply.json()["metadata"]["model_info"]["simulated"] is True


def test_help_explains_every_command_and_fault() -> None:
    said = farm("--help").stdout
    assert all(word in said for word in ("fault", "counts", "check", "SERVICE_NAME"))
    assert "capacity" in farm("fault", "set", "--help").stdout
