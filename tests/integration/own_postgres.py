"""A PostgreSQL of a test's own, of any version that is installed, on loopback."""

import os
import secrets
import signal
import subprocess
from pathlib import Path

from dev.servers import ports, processes
from dev.servers.postgres_programs import PostgresPrograms, choose_identity

BASE_PORT = 5640
USER = "windmill"
READY_SECONDS = 60.0


class OwnPostgres:
    """`home` holds its data and its log; nobody is asked for a password."""

    def __init__(self, home: Path, programs: PostgresPrograms) -> None:
        home.mkdir()
        self._home = home
        self._data = home / "data"
        self._log = home / "postgres.log"
        self._record = home / "process.json"
        self._programs = programs
        self._identity = choose_identity(programs, home, self._data)
        self.port = 0

    def create(self) -> None:
        """Make its data directory."""
        self.run("initdb", "--pgdata", "data", "-U", USER, "--auth=trust", "--encoding=UTF8", "--no-sync")

    def run(self, program: str, *arguments: str) -> None:
        """One of its programs, in its home, to its end."""
        done = self._identity.run([self._programs.path(program), *arguments], timeout=120, cwd=self._home)
        assert done.returncode == 0, done.stdout + done.stderr

    def launch(self, **given: str) -> None:
        """Start it with these parameters and wait until it answers."""
        self.port = ports.choose(BASE_PORT, self._home / secrets.token_hex(4))
        options = {
            "listen_addresses": ports.LOOPBACK,
            "port": str(self.port),
            "unix_socket_directories": "",
            "shared_buffers": "32MB",
            "fsync": "off",  # its processes are killed; the machine stays
            **given,
        }
        argv = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        processes.spawn(
            [self._programs.path("postgres"), "-D", str(self._data), *argv],
            record=self._record,
            log=self._log,
            env=processes.plain_environment(),
            cwd=self._home,
            identity=self._identity,
        )
        processes.wait_ready(self._record, self._log, self._answers, READY_SECONDS)

    def _answers(self) -> bool:
        asked = [self._programs.path("pg_isready"), "-q", "-h", ports.LOOPBACK, "-p", str(self.port)]
        return subprocess.run(asked, env=processes.plain_environment(), check=False).returncode == 0

    def kill(self) -> None:
        """All of its processes at once, as a machine does that loses its power."""
        for pid in processes.working_in(self._data):
            os.kill(pid, signal.SIGKILL)

    def stop(self) -> None:
        processes.stop(self._record, [(signal.SIGQUIT, 20.0), (signal.SIGKILL, 5.0)])

    def variables(self) -> dict[str, str]:
        """What the commands of a fleet are told of it."""
        return {"DB_HOST": f"{ports.LOOPBACK}:{self.port}", "DB_USER": USER, "DB_PASSWORD": ""}
