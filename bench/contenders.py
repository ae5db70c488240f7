"""The workers that are compared: command, variables, and what publishes their jobs."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar
from urllib.parse import quote

from bench.temporary_fleet import STATE
from windmill import broker
from windmill.core.services import load_fleet
from windmill.core.settings import Settings

OURS = "windmill"
SERVICE = "yolov8"
ENVIRONMENT = STATE / "venv"
PYTHON = ENVIRONMENT / "bin" / "python"


@dataclass(frozen=True)
class Servers:
    """What a benchmark runs on, and the concurrency of a worker."""

    environ: dict[str, str]
    settings: Settings
    concurrency: int

    @property
    def amqp(self) -> str:
        s = self.settings
        account = f"{quote(s.queue_user, safe='')}:{quote(s.queue_password, safe='')}"
        return f"amqp://{account}@{s.queue_host}:{s.queue_port}/{quote(s.queue_vhost, safe='')}"

    @property
    def dsn(self) -> str:
        s = self.settings
        account = f"{quote(s.db_user, safe='')}:{quote(s.db_password, safe='')}"
        return f"postgresql://{account}@{s.db_host}:{s.db_port}/{s.db_name}"


@dataclass(frozen=True)
class Testbed(Servers):
    """The same with nginx."""

    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/analyze"

    def queue(self, service: str) -> str:
        return broker.work_queue(self.settings, service)


def peer_variables(place: Testbed, service: str) -> dict[str, str]:
    """The variables that bench/peers/environment.py reads."""
    return {
        "BENCH_AMQP": place.amqp,
        "BENCH_QUEUE": place.queue(service),
        "BENCH_DSN": place.dsn,
        "BENCH_URL": place.url,
        "BENCH_CONCURRENCY": str(place.concurrency),
    }


def windmill_variables(place: Testbed, service: str) -> dict[str, str]:
    """The fleet's own settings, with one service moved to where nginx answers."""
    usual = load_fleet(place.settings.service_config).services[service].port
    return {
        **place.environ,
        "SERVICE_NAME": service,
        "SERVICE_HOST": "127.0.0.1",
        "SERVICE_PORT_OFFSET": str(place.port - usual),
        "WORKER_CONCURRENCY": str(place.concurrency),
    }


@dataclass(frozen=True)
class Contender:
    """One worker. `publisher` is the module that sends jobs in its own format; without it they are Windmill's."""

    name: str
    command: Callable[[Testbed], Sequence[str]]
    variables: Callable[[Testbed, str], dict[str, str]] = peer_variables
    publisher: str = ""
    needs: tuple[str, ...] = ()

    @property
    def service(self) -> str:
        """The service whose queue it consumes."""
        return SERVICE if self.name == OURS else self.name


def plain(place: Testbed) -> Sequence[str]:
    return [
        "bench/plain_worker.py",
        *(place.amqp, place.queue("plain"), place.dsn, place.url, str(place.concurrency)),
    ]


def celery(place: Testbed) -> Sequence[str]:
    return ["-m", "celery", "-A", "bench.peers.celery_app", "worker", "--concurrency", str(place.concurrency)]


def dramatiq(place: Testbed) -> Sequence[str]:
    return ["-m", "dramatiq", "bench.peers.dramatiq_app", "--processes", "1", "--threads", str(place.concurrency)]


def taskiq(place: Testbed) -> Sequence[str]:
    tasks = ["--workers", "1", "--max-async-tasks", str(place.concurrency), "--log-level", "WARNING"]
    return ["-m", "taskiq", "worker", "bench.peers.taskiq_app:broker", *tasks]


CONTENDERS = [
    Contender(OURS, lambda _: ["-m", "workers.generic"], windmill_variables),
    Contender("plain", plain),
    Contender("celery", celery, publisher="bench.peers.celery_app", needs=("celery", "psycopg")),
    Contender("dramatiq", dramatiq, publisher="bench.peers.dramatiq_app", needs=("dramatiq", "psycopg")),
    Contender("taskiq", taskiq, publisher="bench.peers.taskiq_app", needs=("taskiq", "taskiq_aio_pika")),
    Contender(
        "faststream",
        lambda _: ["-m", "faststream", "run", "bench.peers.faststream_app:app"],
        needs=("faststream", "typer"),
    ),
]


def python() -> str:
    """The Python of all workers: that of the environment with the libraries, if it exists."""
    return str(PYTHON) if PYTHON.exists() else sys.executable


class Competitor(Protocol):
    """What is compared, and the libraries that it needs."""

    @property
    def name(self) -> str: ...
    @property
    def needs(self) -> Sequence[str]: ...


C = TypeVar("C", bound=Competitor)


def runnable(competitors: Sequence[C], names: Sequence[str], report: Callable[[str], None]) -> list[C]:
    """Those with these names, or all, that can run here; the others are reported."""
    found = []
    for one in competitors:
        if names and one.name not in names:
            continue
        if lacks := missing(one.needs):
            report(f"{one.name} is left out, there is no {', '.join(lacks)}; `make bench` installs it")
        else:
            found.append(one)
    return found


def missing(needs: Sequence[str]) -> list[str]:
    """The libraries of these that are not installed."""
    return [name for name in needs if not any(ENVIRONMENT.glob(f"lib/python*/site-packages/{name}"))]
