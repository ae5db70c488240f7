"""A private RabbitMQ in a container, for systems without installed or unpacked packages."""

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

from dev.servers import ports
from dev.servers.processes import Died, wait_until
from dev.servers.rabbitmq_node import BASES, START_SECONDS, NodeSettings, load, save, version

IMAGE = "rabbitmq:4-management"
SCRIPT = f"docker:{IMAGE}"
PULL_SECONDS = 1800.0


def daemon_answers() -> bool:
    """Whether there is a Docker that can run containers."""
    return shutil.which("docker") is not None and _docker("info", timeout=15).returncode == 0


def start(home: Path, broker: str = "") -> str:
    """Start the container unless it runs, wait until the broker is ready; its version."""
    settings = replace(load(home), script=SCRIPT, broker=broker)
    save(home, settings)
    if not is_running(settings):
        settings = _run(home, settings)
    if not wait_until(lambda: version(settings) is not None or not is_running(settings), START_SECONDS, 0.5):
        raise Died(f"is not ready in time; see `docker logs {container(settings)}`", log(home))
    said = version(settings)
    if said is None:
        raise Died(f"ended while starting; see `docker logs {container(settings)}`", log(home))
    return said


def stop(settings: NodeSettings) -> bool:
    """Stop and remove the container; its volume stays."""
    was_running = is_running(settings)
    if was_running:
        _docker("stop", "--time", "60", container(settings), timeout=90)
    _docker("rm", "--force", container(settings), timeout=30)
    return was_running


def wipe(settings: NodeSettings) -> None:
    _docker("volume", "rm", "--force", container(settings), timeout=30)


def is_running(settings: NodeSettings) -> bool:
    said = _docker("inspect", "--format", "{{.State.Running}}", container(settings), timeout=15)
    return said.stdout.strip() == "true"


def container(settings: NodeSettings) -> str:
    """The container's name, and its volume's."""
    return settings.name.partition("@")[0]


def log(home: Path) -> Path:
    return home / "docker.log"


def _run(home: Path, settings: NodeSettings) -> NodeSettings:
    _docker("rm", "--force", container(settings), timeout=30)
    chosen = {use: ports.choose(BASES[use], home, last=settings.port.get(use)) for use in ("amqp", "management")}
    settings = replace(settings, port=chosen)
    save(home, settings)
    done = _docker(*arguments(settings), timeout=PULL_SECONDS)
    if done.returncode != 0:
        log(home).write_text(done.stderr)
        raise Died("cannot be started by Docker", log(home))
    return settings


def arguments(settings: NodeSettings) -> list[str]:
    """Arguments of `docker`. The host name is part of the node's name, and so of its data."""
    return [
        *("run", "--detach", "--name", container(settings), "--hostname", "windmill"),
        *("--publish", f"{ports.LOOPBACK}:{settings.port['amqp']}:5672"),
        *("--publish", f"{ports.LOOPBACK}:{settings.port['management']}:15672"),
        *("--env", f"RABBITMQ_DEFAULT_USER={settings.user}"),
        *("--env", f"RABBITMQ_DEFAULT_PASS={settings.password}"),
        *("--volume", f"{container(settings)}:/var/lib/rabbitmq"),
        IMAGE,
    ]


def _docker(*arguments: str, timeout: float) -> "subprocess.CompletedProcess[str]":
    argv = ["docker", *arguments]
    try:
        return subprocess.run(
            argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return subprocess.CompletedProcess(argv, 1, "", str(error))
