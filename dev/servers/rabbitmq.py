"""A private RabbitMQ, from whatever this machine offers: installed, Docker, or Debian's packages unpacked.

BROKER=4 asks for RabbitMQ 4 where the system's own release has an older one.
"""

import shutil
from collections.abc import Mapping
from pathlib import Path

from dev.servers import debian_packages, ports, rabbitmq_docker, rabbitmq_node, rabbitmq_programs
from dev.servers.debian_packages import CannotUnpack
from dev.servers.processes import Died
from dev.servers.rabbitmq_programs import RabbitmqPrograms
from dev.servers.server import ReportLine
from windmill.core.errors import Code, WindmillError

title = "rabbitmq"
host_variable = "QUEUE_HOST"
port_variable = "QUEUE_PORT"
usual_port = 5672
unavailable: Code = "BROKER_UNAVAILABLE"

SUITES = {"4": "testing"}
"""What BROKER may ask for, and the suite of Debian's that has it."""

WAYS = (
    "any one of: install it (`apt install rabbitmq-server` on Debian and Ubuntu, `dnf install rabbitmq-server` on "
    "Fedora, `apk add rabbitmq-server` on Alpine, `pacman -S rabbitmq` on Arch); start Docker; or name a broker "
    "as QUEUE_HOST in .env"
)


def start(home: Path, named: Mapping[str, str], report: ReportLine) -> str:
    """Start the broker unless it runs, wait until it is ready; its version."""
    (home / "log").mkdir(parents=True, exist_ok=True)
    asked = _asked(home, named)
    try:
        programs = _programs(home, asked, named, report)
        return rabbitmq_docker.start(home, asked) if programs is None else rabbitmq_node.start(home, programs, asked)
    except Died as error:
        raise WindmillError(unavailable, f"the private RabbitMQ {error}", _remedy(home, slow=error.slow)) from error
    except CannotUnpack as error:
        raise _absent(asked, str(error)) from error


def stop(home: Path) -> bool:
    """Stop the broker and all it started; whether it was running."""
    settings = rabbitmq_node.load(home)
    if settings.script == rabbitmq_docker.SCRIPT:
        return rabbitmq_docker.stop(settings)
    return rabbitmq_node.stop(home)


def wipe(home: Path) -> None:
    """Delete data and credentials."""
    settings = rabbitmq_node.load(home)
    if settings.script == rabbitmq_docker.SCRIPT:
        rabbitmq_docker.wipe(settings)
    if home.exists():
        shutil.rmtree(home)


def pid(home: Path) -> int | None:
    """The broker's process, if it runs; 0 for one in a container."""
    settings = rabbitmq_node.load(home)
    if settings.script == rabbitmq_docker.SCRIPT:
        return 0 if rabbitmq_docker.is_running(settings) else None
    return rabbitmq_node.pid(home)


def log(home: Path) -> Path:
    """What the broker logs."""
    return rabbitmq_node.log(home)


def variables(home: Path) -> dict[str, str]:
    """How to reach the broker and its management API."""
    settings = rabbitmq_node.load(home)
    return {
        "QUEUE_HOST": ports.LOOPBACK,
        "QUEUE_PORT": str(settings.port["amqp"]),
        "QUEUE_USER": settings.user,
        "QUEUE_PASSWORD": settings.password,
        "QUEUE_VHOST": "/",
        "QUEUE_MANAGEMENT_PORT": str(settings.port["management"]),
    }


def _remedy(home: Path, *, slow: bool) -> str:
    if slow:
        return "this machine may be busy: run the same command again"
    return f"read {log(home)}; to begin anew without its data: `python -m dev.servers down --wipe`"


def _absent(asked: str, because: str) -> WindmillError:
    if asked:
        remedy = f"start Docker, name a RabbitMQ {asked} as QUEUE_HOST in .env, or leave BROKER out"
        return WindmillError(unavailable, f"RabbitMQ {asked} is not available: {because}", remedy)
    return WindmillError(unavailable, f"no RabbitMQ is installed, and {because}", WAYS)


def _asked(home: Path, named: Mapping[str, str]) -> str:
    """Which version is to run, empty for any. Data belongs to a version, so an instance stays with its first one."""
    asked, kept = named.get("BROKER", ""), rabbitmq_node.load(home)
    if asked and asked not in SUITES:
        only = ", ".join(SUITES)
        raise WindmillError("CONFIG_INVALID", f"BROKER={asked} is unknown, only {only} is known", "correct or unset it")
    if asked and kept.script and asked != kept.broker:
        remedy = "leave BROKER out, or begin anew without its data: `python -m dev.servers down --wipe --only rabbitmq`"
        raise WindmillError("CONFLICT", f"the data in {home} are of another RabbitMQ than BROKER={asked}", remedy)
    return kept.broker if kept.script else asked


def _programs(home: Path, asked: str, named: Mapping[str, str], report: ReportLine) -> RabbitmqPrograms | None:
    """What to run the node with, None for Docker."""
    script = rabbitmq_node.load(home).script
    if script == rabbitmq_docker.SCRIPT and rabbitmq_docker.daemon_answers():
        return None
    if programs := script and rabbitmq_programs.at(Path(script)):
        return programs
    # What is installed may be of any version.
    if not asked and (programs := rabbitmq_programs.installed()):
        return programs
    if rabbitmq_docker.daemon_answers():
        return None
    if not debian_packages.can_unpack():
        raise _absent(asked, "no Docker answers")
    cache = rabbitmq_programs.cache(named)
    return rabbitmq_programs.in_tree(debian_packages.unpack(cache, report, SUITES.get(asked)))
