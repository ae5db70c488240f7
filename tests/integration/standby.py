"""A PostgreSQL and a standby that follows it, on loopback."""

import os
import secrets
import signal
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from deploy.local import ports, processes
from deploy.local.postgres_programs import Programs, choose_identity

BASE_PORT = 5640
USER = "windmill"
READY_SECONDS = 60.0
NAME = "standby"


@dataclass(frozen=True)
class Server:
    """One of the two; `home` holds its data and its log."""

    home: Path
    port: int

    @property
    def data(self) -> Path:
        return self.home / "data"


class Pair:
    """Every commit waits until the standby has it, too."""

    def __init__(self, folder: Path, programs: Programs) -> None:
        self._programs = programs
        self.primary = _server(folder / "primary")
        self._identity = choose_identity(programs, self.primary.home, self.primary.data)
        self.standby = _server(folder / NAME, avoid=[self.primary.port])

    def start(self) -> None:
        self._run(self.primary, "initdb", "--pgdata", "data", "-U", USER, "--auth=trust", "--encoding=UTF8")
        self._launch(self.primary, synchronous_standby_names=NAME, cluster_name="primary")
        source = f"host={ports.LOOPBACK} port={self.primary.port} user={USER}"
        self._run(self.standby, "pg_basebackup", "--pgdata", "data", "-d", source, "-R", "--checkpoint=fast")
        self._launch(self.standby, cluster_name=NAME)

    def kill_primary(self) -> None:
        """All of its processes at once, as a machine does that loses its power."""
        for pid in processes.working_in(self.primary.data):
            os.kill(pid, signal.SIGKILL)

    def promote(self) -> None:
        self._run(self.standby, "pg_ctl", "promote", "--pgdata", "data")

    def stop(self) -> None:
        for server in (self.primary, self.standby):
            processes.stop(_record(server), [(signal.SIGQUIT, 20.0), (signal.SIGKILL, 5.0)])

    def variables(self) -> dict[str, str]:
        """What the commands of a fleet are told; the standby first."""
        hosts = (f"{ports.LOOPBACK}:{server.port}" for server in (self.standby, self.primary))
        return {"DB_HOST": ",".join(hosts), "DB_USER": USER, "DB_PASSWORD": ""}

    def _run(self, server: Server, program: str, *arguments: str) -> None:
        done = self._identity.run([self._programs.path(program), *arguments], timeout=120, cwd=server.home)
        assert done.returncode == 0, done.stdout + done.stderr

    def _launch(self, server: Server, **given: str) -> None:
        options = {
            "listen_addresses": ports.LOOPBACK,
            "port": str(server.port),
            "unix_socket_directories": "",
            "shared_buffers": "32MB",
            **given,
        }
        argv = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        processes.spawn(
            [self._programs.path("postgres"), "-D", str(server.data), *argv],
            record=_record(server),
            log=server.home / "postgres.log",
            env=processes.plain_environment(),
            cwd=server.home,
            identity=self._identity,
        )
        processes.wait_ready(
            _record(server), server.home / "postgres.log", lambda: self._answers(server), READY_SECONDS
        )

    def _answers(self, server: Server) -> bool:
        asked = [self._programs.path("pg_isready"), "-q", "-h", ports.LOOPBACK, "-p", str(server.port)]
        return subprocess.run(asked, env=processes.plain_environment(), check=False).returncode == 0


def _server(home: Path, avoid: Sequence[int] = ()) -> Server:
    home.mkdir()
    return Server(home, ports.choose(BASE_PORT, home / secrets.token_hex(4), avoid=avoid))


def _record(server: Server) -> Path:
    return server.home / "process.json"
