"""Free ports on loopback: stable for one instance, and different from those of servers and other instances."""

import hashlib
import socket
from collections.abc import Iterable, Iterator
from itertools import takewhile
from pathlib import Path

LOOPBACK = "127.0.0.1"
SPREAD = 200
_TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
_LISTENS = "0A"


def is_free(port: int) -> bool:
    """Whether a server could listen there now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
            probe.listen(1)
        except OSError:
            return False
    return True


def answers(host: str, port: int, timeout: float = 5.0) -> bool:
    """Whether something accepts connections there."""
    try:
        socket.create_connection((host, port), timeout).close()
    except OSError:
        return False
    return True


def listens(pid: int, port: int) -> bool:
    """Whether this process listens there, and not another that took the port first."""
    sockets = _listening_sockets(port)
    try:
        return any(str(entry.readlink()) in sockets for entry in Path(f"/proc/{pid}/fd").iterdir())
    except OSError:
        return False


def _listening_sockets(port: int) -> set[str]:
    rows = (row for table in _TABLES if table.exists() for row in _listening_rows(table))
    return {f"socket:[{row[9]}]" for row in rows if row[1].endswith(f":{port:04X}")}


def _listening_rows(table: Path) -> Iterator[list[str]]:
    """Linux lists these before all connections, of which a busy machine has thousands: they are not read."""
    with table.open() as lines:
        next(lines, "")
        yield from takewhile(lambda row: row[3] == _LISTENS, map(str.split, lines))


def choose(base: int, state: Path, *, last: int | None = None, avoid: Iterable[int] = ()) -> int:
    """The port used last time if it is free, else the first free one of the range that begins at `base`."""
    avoided = set(avoid)
    start = offset(state)
    wanted = [base + (start + step) % SPREAD for step in range(SPREAD)]
    for port in [last, *wanted] if last else wanted:
        assert port is not None
        if port not in avoided and is_free(port):
            return port
    raise OSError(f"no free port from {base} to {base + SPREAD - 1}")


def offset(state: Path) -> int:
    """Where in a range an instance starts to look, so that two instances rarely try the same port."""
    return int.from_bytes(hashlib.sha256(bytes(state)).digest()[:4]) % SPREAD
