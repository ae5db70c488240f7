"""A RabbitMQ of a test's own that tells its metrics."""

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

from dev.servers import ports, rabbitmq_node, rabbitmq_programs
from dev.servers.rabbitmq_programs import RabbitmqPrograms
from tests.conftest import STATE
from tests.integration.fleet import unavailable

CTL_SECONDS = 120


class MeteredBroker:
    """Everything of it is under `home`."""

    def __init__(self, home: Path, programs: RabbitmqPrograms) -> None:
        self._home = home
        self._programs = programs
        self.metrics_port = 0

    def start(self) -> None:
        (self._home / "log").mkdir(parents=True)
        rabbitmq_node.start(self._home, self._programs)
        self.metrics_port = ports.choose(15_880, self._home)
        where = f'[{{port, {self.metrics_port}}}, {{ip, "{ports.LOOPBACK}"}}]'
        # Kept when the plugin's own defaults are loaded: its usual port may be another RabbitMQ's.
        setting = f"application:set_env(rabbitmq_prometheus, tcp_config, {where}, [{{persistent, true}}])."
        self._ctl("rabbitmqctl", "eval", setting)
        self._ctl("rabbitmq-plugins", "enable", "rabbitmq_prometheus")

    def limit_memory(self, share: float) -> None:
        """Raise the memory alarm with a share that is too small, or clear it."""
        self._ctl("rabbitmqctl", "set_vm_memory_high_watermark", f"{share:.9f}")

    def _ctl(self, program: str, *arguments: str) -> None:
        settings = rabbitmq_node.load(self._home)
        done = subprocess.run(
            [self._programs.script.parent / program, *arguments],
            env=self._programs.environment() | rabbitmq_node.environment(self._home, settings),
            capture_output=True,
            text=True,
            timeout=CTL_SECONDS,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def stop(self) -> None:
        rabbitmq_node.stop(self._home)

    def variables(self) -> dict[str, str]:
        """What the commands of a fleet are told of it."""
        settings = rabbitmq_node.load(self._home)
        return {
            "QUEUE_HOST": ports.LOOPBACK,
            "QUEUE_PORT": str(settings.port["amqp"]),
            "QUEUE_MANAGEMENT_PORT": str(settings.port["management"]),
            "QUEUE_USER": settings.user,
            "QUEUE_PASSWORD": settings.password,
            "QUEUE_VHOST": "/",
        }


@contextlib.contextmanager
def running_metered_broker(home: Path) -> Iterator[MeteredBroker]:
    """Run by the programs of the private broker, whose plugins are those of every test."""
    programs = rabbitmq_programs.at(Path(rabbitmq_node.load(STATE / "rabbitmq").script))
    if programs is None:
        unavailable("the private RabbitMQ's programs are not on this machine")
    assert programs is not None
    started = MeteredBroker(home, programs)
    try:
        started.start()
        yield started
    finally:
        started.stop()
