"""A private S3 server for tests of stores: OpenStack Swift with its S3 interface, on loopback."""

import secrets
import shutil
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path

from dev.servers import files, ports, processes, swift_programs
from dev.servers.processes import Died
from dev.servers.server import ReportLine
from windmill.core.errors import Code, WindmillError

title = "swift"
host_variable = "S3_HOST"
port_variable = "S3_PORT"
usual_port = 443
unavailable: Code = "NOT_FOUND"

BASE_PORT = 8210
KEY = "windmill:tests"
START_SECONDS = 60.0
NODE = Path(__file__).with_name("swift_node.py")


def start(home: Path, named: Mapping[str, str], report: ReportLine) -> str:
    """Start the server unless it runs, wait until it is ready; its version."""
    home.mkdir(parents=True, exist_ok=True)
    python = swift_programs.python(named, report)
    try:
        if not pid(home):
            _start_stopped(home, python)
        processes.wait_ready(_record(home), log(home), lambda: _answers(home), START_SECONDS)
    except Died as error:
        raise WindmillError(unavailable, f"the private Swift {error}", f"read {log(home)}") from error
    return "2"


def stop(home: Path) -> bool:
    """Stop the server and what it started; whether it was running."""
    return processes.stop(_record(home))


def wipe(home: Path) -> None:
    """Delete data and credentials."""
    if home.exists():
        shutil.rmtree(home)


def pid(home: Path) -> int | None:
    """The process that started the servers, if it runs."""
    return processes.running(_record(home))


def log(home: Path) -> Path:
    """What all of them say."""
    return home / "swift.log"


def variables(home: Path) -> dict[str, str]:
    """How to reach it, as the settings of Windmill are called."""
    settings = files.read_json(home / "settings.json")
    return {
        port_variable: str(settings["port"]),
        "AWS_ENDPOINT_URL": f"http://{ports.LOOPBACK}:{settings['port']}",
        "AWS_ACCESS_KEY_ID": KEY,
        "AWS_SECRET_ACCESS_KEY": settings["secret"],
        "AWS_REGION": "us-east-1",
    }


def _start_stopped(home: Path, python: Path) -> None:
    # -P: beside the script lies a module that is called swift as well.
    settings = {"secret": secrets.token_hex(16)} | files.read_json(home / "settings.json")
    settings["port"] = _four_free(home)
    files.write_json(home / "settings.json", settings)
    argv = [str(python), "-P", str(NODE), str(home), str(settings["port"]), KEY, settings["secret"]]
    processes.spawn(argv, record=_record(home), log=log(home), env=processes.plain_environment(), cwd=home)


def _four_free(home: Path) -> int:
    """A port that is free together with the three after it."""
    taken: list[int] = []
    while True:
        port = ports.choose(BASE_PORT, home, avoid=taken)
        if all(ports.is_free(port + more) for more in range(1, 4)):
            return port
        taken.append(port)


def _answers(home: Path) -> bool:
    """An answer of any kind: without credentials it is a refusal."""
    try:
        urllib.request.urlopen(variables(home)["AWS_ENDPOINT_URL"], timeout=1).close()
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True


def _record(home: Path) -> Path:
    return home / "process.json"
