"""A private PostgreSQL: made, started and stopped under one directory; it listens on loopback only."""

import os
import secrets
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from dev.servers import files, ports, processes
from dev.servers.postgres_programs import PostgresPrograms, choose_identity, find
from dev.servers.processes import Died, Identity
from dev.servers.server import PORT_ATTEMPTS, ReportLine
from windmill.core.errors import Code, WindmillError

title = "postgresql"
host_variable = "DB_HOST"
port_variable = "DB_PORT"
usual_port = 5432
unavailable: Code = "DATABASE_UNAVAILABLE"

BASE_PORT = 5440
NAME = "windmill"
START_SECONDS = 300.0  # recovery after a crash may take long
INIT_SECONDS = 180.0

# SIGTERM would wait for every client to leave; SIGINT ends their sessions, SIGQUIT leaves a recovery to do.
STOPPING = ((signal.SIGINT, 30.0), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0))

SETTINGS = {
    "listen_addresses": ports.LOOPBACK,
    # All clients use TCP, and the path of a socket may not exceed 107 bytes.
    "unix_socket_directories": "",
    "shared_buffers": "64MB",
    "max_connections": "100",
    "cluster_name": NAME,
    "idle_in_transaction_session_timeout": "10min",  # as the doctor advises
}


def start(home: Path, named: Mapping[str, str], report: ReportLine) -> str:
    """Start the server unless it runs, wait until it is ready and has the database that is named; its version."""
    home.mkdir(parents=True, exist_ok=True)
    programs = find(_data(home))
    try:
        if pid(home):
            _wait_ready(home)
        else:
            _start_stopped(home, programs, report)
        for name in {NAME, named.get("DB_NAME") or NAME}:
            _ensure_database(home, programs, name)
    except (Died, subprocess.SubprocessError) as error:
        raise WindmillError(unavailable, f"the private PostgreSQL {error}", _remedy(home)) from error
    return programs.version


def stop(home: Path) -> bool:
    """Stop the server; whether it was running."""
    return processes.stop(_record(home), STOPPING)


def wipe(home: Path) -> None:
    """Delete data and credentials."""
    if home.exists():
        shutil.rmtree(home)


def pid(home: Path) -> int | None:
    """The server's process, if it runs."""
    return processes.running(_record(home))


def log(home: Path) -> Path:
    """What the server writes to its standard error."""
    return home / "postgres.log"


def variables(home: Path) -> dict[str, str]:
    """How to reach the database."""
    settings = files.read_json(_settings(home))
    return {
        "DB_HOST": ports.LOOPBACK,
        "DB_PORT": str(settings["port"]),
        "DB_NAME": NAME,
        "DB_USER": NAME,
        "DB_PASSWORD": settings["password"],
    }


def _start_stopped(home: Path, programs: PostgresPrograms, report: ReportLine) -> None:
    identity = choose_identity(programs, home, _data(home))
    settings = files.read_json(_settings(home)) or {"password": secrets.token_hex(16)}
    if not _data(home).exists():
        report(f"{title:<11} {programs.version:<7} creates its data directory")
        files.write_json(_settings(home), settings)
        _create_data(home, programs, identity, settings["password"])
    _clear_stale_lock(home)
    options = _options(home, programs, identity)
    for _ in range(PORT_ATTEMPTS):
        port = ports.choose(BASE_PORT, home, last=settings.get("port"))
        files.write_json(_settings(home), settings | {"port": port})
        try:
            _launch(home, programs, identity, [*options, "-p", str(port)])
        except Died:
            if ports.is_free(port):
                raise
        else:
            return
    raise WindmillError(unavailable, f"{PORT_ATTEMPTS} ports were taken while PostgreSQL started", "try again")


def _launch(home: Path, programs: PostgresPrograms, identity: Identity, options: list[str]) -> None:
    argv = [programs.path("postgres"), "-D", str(_data(home)), *options]
    env = processes.plain_environment()
    processes.spawn(argv, record=_record(home), log=log(home), env=env, cwd=home, identity=identity)
    _wait_ready(home)


def _wait_ready(home: Path) -> None:
    processes.wait_ready(_record(home), log(home), lambda: _says_ready(home), START_SECONDS)


def _says_ready(home: Path) -> bool:
    """The server's lock file has its pid on the first line and its state on the eighth."""
    lines = _lock_lines(home)
    return len(lines) >= 8 and lines[0] == str(pid(home)) and lines[7].strip() == "ready"


def _lock_lines(home: Path) -> list[str]:
    try:
        return (_data(home) / "postmaster.pid").read_text().splitlines()
    except OSError:
        return []


def _clear_stale_lock(home: Path) -> None:
    """After a crash the pid in the lock file may belong to another program, which keeps the server from starting."""
    if not processes.wait_until(lambda: not _servers_of(_data(home)), 5.0):
        others = _servers_of(_data(home))
        raise WindmillError(
            unavailable,
            f"a PostgreSQL that this command did not start (process {others[0]}) uses {_data(home)}",
            f"stop it: `kill -INT {others[0]}`",
        )
    (_data(home) / "postmaster.pid").unlink(missing_ok=True)


def _servers_of(data: Path) -> list[int]:
    """The PostgreSQL processes of this data directory, which is where each of them works."""
    inside = processes.working_in(data)
    return sorted(pid for pid in inside if Path(processes.command(pid).partition(" ")[0]).name[:8] == "postgres")


def _create_data(home: Path, programs: PostgresPrograms, identity: Identity, password: str) -> None:
    """Create the data directory under another name and rename it when it is complete."""
    for leftover in home.glob("new-*"):
        shutil.rmtree(leftover)
    work = Path(tempfile.mkdtemp(prefix="new-", dir=home))
    secret = work / "password"
    files.write_private(secret, password)
    if identity.user is not None and identity.group is not None:
        os.chown(work, identity.user, identity.group)
        os.chown(secret, identity.user, identity.group)
    done = identity.run(
        [
            programs.path("initdb"),
            f"--pgdata={work / 'data'}",
            f"--username={NAME}",
            f"--pwfile={secret}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--no-locale",
        ],
        timeout=INIT_SECONDS,
        cwd=home,
    )
    if done.returncode != 0:
        log(home).write_text(done.stdout + done.stderr)
        raise Died("cannot create its data directory", log(home))
    (work / "data").rename(_data(home))
    shutil.rmtree(work)


def _options(home: Path, programs: PostgresPrograms, identity: Identity) -> list[str]:
    lz4 = ["-c", "default_toast_compression=lz4"]
    asked = [programs.path("postgres"), "-D", str(_data(home)), "-C", "default_toast_compression", *lz4]
    has_lz4 = identity.run(asked, timeout=10, cwd=home).returncode == 0
    plain = [part for name, value in SETTINGS.items() for part in ("-c", f"{name}={value}")]
    return [*plain, *lz4] if has_lz4 else plain


def _ensure_database(home: Path, programs: PostgresPrograms, name: str) -> None:
    if name not in _sql(home, programs, "SELECT datname FROM pg_database").splitlines():
        _sql(home, programs, 'CREATE DATABASE "{}"'.format(name.replace('"', '""')))


def _sql(home: Path, programs: PostgresPrograms, statement: str) -> str:
    reach = variables(home)
    where = ["-h", reach["DB_HOST"], "-p", reach["DB_PORT"], "-U", NAME, "-d", "postgres"]
    done = subprocess.run(
        [programs.path("psql"), "-X", "-q", "-A", "-t", "-w", *where, "-c", statement],
        env=processes.plain_environment() | {"PGPASSWORD": reach["DB_PASSWORD"], "PGCONNECT_TIMEOUT": "10"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if done.returncode != 0:
        raise WindmillError(
            unavailable,
            f"the private PostgreSQL refuses its own user: {done.stderr.strip()}",
            _remedy(home),
        )
    return done.stdout.strip()


def _remedy(home: Path) -> str:
    return f"read {log(home)}; to begin anew without its data: `python -m dev.servers down --wipe`"


def _data(home: Path) -> Path:
    return home / "data"


def _settings(home: Path) -> Path:
    return home / "settings.json"


def _record(home: Path) -> Path:
    return home / "process.json"
