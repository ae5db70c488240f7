"""A private RabbitMQ: installed, in Docker, or from unpacked Debian packages, whichever this machine has."""

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

WAYS = (
    "any one of: install it (`apt install rabbitmq-server` on Debian and Ubuntu, `dnf install rabbitmq-server` on "
    "Fedora, `apk add rabbitmq-server` on Alpine, `pacman -S rabbitmq` on Arch); start Docker; or name a broker "
    "as QUEUE_HOST in .env"
)


def start(home: Path, named: Mapping[str, str], report: ReportLine) -> str:
    """Start the broker unless it runs, wait until it is ready; its version."""
    (home / "log").mkdir(parents=True, exist_ok=True)
    try:
        programs = _programs(home, named, report)
        return rabbitmq_docker.start(home) if programs is None else rabbitmq_node.start(home, programs)
    except Died as error:
        raise WindmillError(unavailable, f"the private RabbitMQ {error}", _remedy(home)) from error
    except CannotUnpack as error:
        raise WindmillError(unavailable, f"no RabbitMQ is installed, and {error}", WAYS) from error


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


def _remedy(home: Path) -> str:
    return f"read {log(home)}; to begin anew without its data: `python -m dev.servers down --wipe`"


def _programs(home: Path, named: Mapping[str, str], report: ReportLine) -> RabbitmqPrograms | None:
    """The programs of the node, None for Docker. The first choice stays, because data belongs to a version."""
    script = rabbitmq_node.load(home).script
    if script == rabbitmq_docker.SCRIPT and rabbitmq_docker.daemon_answers():
        return None
    if programs := (script and rabbitmq_programs.at(Path(script))) or rabbitmq_programs.installed():
        return programs
    if rabbitmq_docker.daemon_answers():
        return None
    if not debian_packages.can_unpack():
        raise WindmillError(unavailable, "no RabbitMQ is installed here, and no Docker answers", WAYS)
    return rabbitmq_programs.in_tree(debian_packages.unpack(rabbitmq_programs.cache(named), report))
