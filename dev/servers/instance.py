"""One instance: the private servers of one state directory, and the file with their addresses."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from dev.servers import files, ports
from dev.servers.server import ReportLine, Server
from windmill.core.errors import WindmillError
from windmill.kernels.net.server_addresses import parse_addresses, render_addresses

HEAD = "# Written by `make up` for the private servers it started. `.env` and the environment win over it.\n"


@dataclass(frozen=True)
class Status:
    """The status of one private server."""

    server: str
    running: bool
    pid: int | None
    host: str
    port: int | None
    log: str


@dataclass(frozen=True)
class Instance:
    """Servers by name; each has a home directory of that name under `state`."""

    state: Path
    servers: Mapping[str, Server]

    def up(self, names: Sequence[str], named: Mapping[str, str], report: ReportLine) -> dict[str, str]:
        """Start the servers that the user has not named himself; the variables to reach those that run.

        Any error, also an interrupt, stops what this call has started.
        """
        with self._locked(report), self._undone_on_failure() as begun:
            for name in names:
                if self.servers[name].host_variable in named:
                    self._use_named(name, named, report)
                else:
                    self._start(name, named, report, begun)
            return self._write_variables()

    def down(self, names: Sequence[str], report: ReportLine, *, wipe: bool = False) -> None:
        """Stop the servers and forget how to reach them; `wipe` deletes their data too."""
        if not self.state.exists():
            return
        with self._locked(report):
            self.kept_file.unlink(missing_ok=True)
            for name in reversed(names):
                self._stop(name, report)
                if wipe:
                    self.servers[name].wipe(self._home(name))
            self._write_variables()

    def status(self) -> list[Status]:
        """Every server, running or not."""
        return [self._status(name, server) for name, server in self.servers.items()]

    @property
    def variables_file(self) -> Path:
        return self.state / "local.env"

    @property
    def kept_file(self) -> Path:
        """There as long as somebody wants the servers to go on."""
        return self.state / "kept"

    def _home(self, name: str) -> Path:
        return self.state / name

    def _start(self, name: str, named: Mapping[str, str], report: ReportLine, begun: list[str]) -> None:
        server, home = self.servers[name], self._home(name)
        already = server.pid(home) is not None
        if not already:
            begun.append(name)
            report(f"{server.title:<11} starts")
        started = time.monotonic()
        version = server.start(home, named, report)
        took = "already running" if already else f"{time.monotonic() - started:.1f} s"
        address = f"{ports.LOOPBACK}:{server.variables(home)[server.port_variable]}"
        report(f"{server.title:<11} {version:<7} ready on {address}  ({took})")

    def _stop(self, name: str, report: ReportLine) -> None:
        started = time.monotonic()
        if self.servers[name].stop(self._home(name)):
            report(f"{self.servers[name].title:<11} stopped  ({time.monotonic() - started:.1f} s)")

    def _use_named(self, name: str, named: Mapping[str, str], report: ReportLine) -> None:
        """Check that the user's own server answers, and stop a private one that it replaces."""
        server = self.servers[name]
        host = named[server.host_variable]
        port = named.get(server.port_variable) or str(server.usual_port)
        try:
            servers = parse_addresses(host, int(port))
        except ValueError:
            servers = ()
        if not any(ports.answers(*one) for one in servers):
            raise WindmillError(
                server.unavailable,
                f"{server.host_variable}={host} {server.port_variable}={port}: nothing answers there",
                f"start it or correct the address; without {server.host_variable} a private server is started",
            )
        self._stop(name, report)
        report(f"{server.title:<11} yours, on {render_addresses(servers)}")

    def _write_variables(self) -> dict[str, str]:
        """Describe the servers that run; no file if none does."""
        homes = [(server, self._home(name)) for name, server in self.servers.items()]
        running = [server.variables(home) for server, home in homes if server.pid(home) is not None]
        found = {name: value for variables in running for name, value in variables.items()}
        if found:
            lines = (f"{name}={value}\n" for name, value in found.items())
            files.write_private(self.variables_file, HEAD + "".join(lines))
        else:
            self.variables_file.unlink(missing_ok=True)
        return found

    def _status(self, name: str, server: Server) -> Status:
        home = self._home(name)
        pid = server.pid(home)
        port = int(server.variables(home)[server.port_variable]) if pid is not None else None
        return Status(name, pid is not None, pid, ports.LOOPBACK, port, str(server.log(home)))

    def _locked(self, report: ReportLine) -> AbstractContextManager[None]:
        waits = f"waits for another command, which starts or stops the servers in {self.state}"
        return files.locked(self.state / "lock", lambda: report(waits))

    @contextmanager
    def _undone_on_failure(self) -> Iterator[list[str]]:
        """Collects the names of servers that are started, and stops them again on failure."""
        begun: list[str] = []
        try:
            yield begun
        except BaseException:
            for name in reversed(begun):
                self.servers[name].stop(self._home(name))
            self._write_variables()
            raise
