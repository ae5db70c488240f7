"""A private RabbitMQ node: its own name, port mapper, cookie, data and ports, all on loopback."""

import base64
import http.client
import json
import secrets
import shutil
import signal
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path

from dev.servers import files, ports, processes
from dev.servers.processes import Died
from dev.servers.rabbitmq_programs import RabbitmqPrograms
from dev.servers.server import PORT_ATTEMPTS

BASES = {"amqp": 5680, "management": 15680, "distribution": 25680, "epmd": 4380}
START_SECONDS = 300.0
STOPPING = ((signal.SIGTERM, 60.0), (signal.SIGKILL, 20.0))

# Every process of the node inherits this variable, so that stopping finds all of them.
MARK = "WINDMILL_NODE"

# A RabbitMQ of a newer line does without what it announces to drop, so that nothing comes to rely on that.
DENIED = {"deprecated_features.permit.management_metrics_collection": "false"}

LOG_BYTES = 10 * 1024 * 1024


@dataclass(frozen=True)
class NodeSettings:
    """What a node keeps from one start to the next."""

    name: str
    user: str
    password: str
    script: str = ""
    broker: str = ""
    """Which line of versions was asked for when the data was made; empty for whatever there was."""
    port: Mapping[str, int] = field(default_factory=dict)


def new_settings() -> NodeSettings:
    return NodeSettings(
        name=f"windmill-{secrets.token_hex(3)}@localhost", user="windmill", password=secrets.token_hex(16)
    )


def load(home: Path) -> NodeSettings:
    """The saved settings of the instance, with new values for missing ones."""
    found = files.read_json(home / "settings.json")
    return replace(
        new_settings(), **{each.name: found[each.name] for each in fields(NodeSettings) if each.name in found}
    )


def save(home: Path, settings: NodeSettings) -> None:
    files.write_json(home / "settings.json", asdict(settings))


def start(home: Path, programs: RabbitmqPrograms, broker: str = "") -> str:
    """Start the node unless it runs, wait until it is ready; its version."""
    settings = replace(load(home), script=str(programs.script), broker=broker)
    if pid(home):
        ensure_port_mapper(home, programs, settings)
        _wait_ready(home, settings)
    else:
        settings = _start_stopped(home, programs, settings)
    _unfinished(home).unlink(missing_ok=True)
    return version(settings) or ""


def stop(home: Path) -> bool:
    """Stop the node, its port mapper, and whatever else it started."""
    was_running = processes.stop(_record(home), STOPPING)
    processes.stop(_epmd_record(home))
    processes.kill_marked(MARK, str(home))
    return was_running


def pid(home: Path) -> int | None:
    return processes.running(_record(home))


def log(home: Path) -> Path:
    return home / "log" / "rabbit.log"


class LoginRefused(Exception):
    """The node refuses the login of its own user."""


def version(settings: NodeSettings) -> str | None:
    """The version from the management API; None as long as the API does not answer."""
    connection = http.client.HTTPConnection(ports.LOOPBACK, settings.port["management"], timeout=5)
    login = base64.b64encode(f"{settings.user}:{settings.password}".encode()).decode()
    try:
        connection.request("GET", "/api/overview", headers={"Authorization": f"Basic {login}"})
        reply = connection.getresponse()
        content = reply.read()
        if reply.status == http.client.UNAUTHORIZED:
            raise LoginRefused
        return str(json.loads(content)["rabbitmq_version"])
    except (OSError, http.client.HTTPException, ValueError, KeyError):
        return None
    finally:
        connection.close()


def _start_stopped(home: Path, programs: RabbitmqPrograms, settings: NodeSettings) -> NodeSettings:
    stop(home)
    if _unfinished(home).exists():
        shutil.rmtree(_data(home), ignore_errors=True)
    if not _data(home).exists():
        _unfinished(home).touch()
    for _ in range(PORT_ATTEMPTS):
        settings = choose_ports(home, settings)
        save(home, settings)
        try:
            ensure_port_mapper(home, programs, settings)
            launch(home, programs, settings)
        except Died:
            stop(home)
            if all(ports.is_free(port) for port in settings.port.values()):
                raise
        else:
            return settings
    raise Died(f"found its ports taken {PORT_ATTEMPTS} times", _output(home))


def choose_ports(home: Path, settings: NodeSettings) -> NodeSettings:
    """The ports of the last start if they are free, else new ones."""
    chosen = {use: ports.choose(base, home, last=settings.port.get(use)) for use, base in BASES.items()}
    return replace(settings, port=chosen)


def ensure_port_mapper(home: Path, programs: RabbitmqPrograms, settings: NodeSettings) -> None:
    """Start our own epmd, because Erlang would start one that nothing stops."""
    if processes.running(_epmd_record(home)):
        return
    epmd = programs.epmd()
    if epmd is None:
        raise Died("has no Erlang: neither `erl` nor `epmd` is on the path", _output(home))
    argv = [epmd, "-address", ports.LOOPBACK, "-port", str(settings.port["epmd"])]
    log_file = home / "epmd.log"
    env = programs.environment() | {MARK: str(home)}
    child = processes.spawn(argv, record=_epmd_record(home), log=log_file, env=env)
    processes.wait_ready(_epmd_record(home), log_file, lambda: ports.listens(child, settings.port["epmd"]), 20.0)


def launch(home: Path, programs: RabbitmqPrograms, settings: NodeSettings) -> None:
    """Start the node and wait until it is ready; its port mapper runs."""
    _write_configuration(home, settings)
    env = programs.environment() | environment(home, settings)
    processes.spawn([str(programs.script)], record=_record(home), log=_output(home), env=env)
    _wait_ready(home, settings)


def _wait_ready(home: Path, settings: NodeSettings) -> None:
    def is_ready() -> bool:
        node = pid(home)
        if (
            node is None
            or not ports.listens(node, settings.port["amqp"])
            or not ports.listens(node, settings.port["management"])
        ):
            return False
        try:
            return version(settings) is not None
        except LoginRefused:
            raise Died("does not accept the credentials in settings.json", _output(home)) from None

    processes.wait_ready(_record(home), _output(home), is_ready, START_SECONDS)


def _write_configuration(home: Path, settings: NodeSettings) -> None:
    (home / "log").mkdir(exist_ok=True)
    files.write_private(home / "rabbitmq.conf", configuration(settings))
    files.write_private(home / "enabled_plugins", "[rabbitmq_management].\n")
    # Else the node would read the file of an installed server.
    files.write_private(home / "rabbitmq-env.conf", "")
    cookie = home / "home" / ".erlang.cookie"
    if not cookie.exists():
        files.write_private(cookie, secrets.token_hex(20), mode=0o400)


def configuration(settings: NodeSettings) -> str:
    """`rabbitmq.conf`. The user is created with the data, so the default user guest never exists."""
    lines = {
        "listeners.tcp.1": f"{ports.LOOPBACK}:{settings.port['amqp']}",
        "management.tcp.ip": ports.LOOPBACK,
        "management.tcp.port": settings.port["management"],
        "default_user": settings.user,
        "default_pass": settings.password,
        "default_user_tags.administrator": "true",
        "vm_memory_high_watermark.relative": "0.4",
        "disk_free_limit.absolute": "50MB",
        # Quorum queues keep this much in memory before they write segments; 512 MB by default.
        "raft.wal_max_size_bytes": 64 * 1024 * 1024,
        "log.console": "false",
        "log.file.level": "info",
        "log.file.rotation.size": LOG_BYTES,
        "log.file.rotation.count": 2,
        **(DENIED if settings.broker else {}),
    }
    return "".join(f"{name} = {value}\n" for name, value in lines.items())


def environment(home: Path, settings: NodeSettings) -> dict[str, str]:
    """The environment of the node and its tools."""
    return {
        MARK: str(home),
        "HOME": str(home / "home"),
        "ERL_EPMD_PORT": str(settings.port["epmd"]),
        "ERL_EPMD_ADDRESS": ports.LOOPBACK,
        "ERL_CRASH_DUMP": str(home / "log" / "erl_crash.dump"),
        # The start script then execs the node, so that the recorded pid is the node's.
        "RUNNING_UNDER_SYSTEMD": "true",
        "RABBITMQ_NODENAME": settings.name,
        "RABBITMQ_DIST_PORT": str(settings.port["distribution"]),
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
        "RABBITMQ_CONF_ENV_FILE": str(home / "rabbitmq-env.conf"),
        "RABBITMQ_CONFIG_FILE": str(home / "rabbitmq.conf"),
        "RABBITMQ_CONFIG_FILES": str(home / "no-conf.d"),
        "RABBITMQ_ADVANCED_CONFIG_FILE": str(home / "no-advanced.config"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(home / "enabled_plugins"),
        "RABBITMQ_MNESIA_BASE": str(home),
        "RABBITMQ_MNESIA_DIR": str(_data(home)),
        "RABBITMQ_LOG_BASE": str(home / "log"),
        "RABBITMQ_LOGS": str(log(home)),
        "RABBITMQ_PID_FILE": str(home / "node.pid"),
    }


def _data(home: Path) -> Path:
    return home / "data"


def _unfinished(home: Path) -> Path:
    """A file that exists from before the data directory is created until the node was ready once."""
    return home / "unfinished"


def _record(home: Path) -> Path:
    return home / "process.json"


def _epmd_record(home: Path) -> Path:
    return home / "epmd.json"


def _output(home: Path) -> Path:
    return home / "log" / "startup.log"
