"""The command of the private servers, run as a user would: a process of its own, killed or interrupted at will."""

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from dev.servers import ports, processes
from windmill.core.settings import ROOT

HIDDEN = ("DB_HOST", "QUEUE_HOST", "ENV_FILE")


def start(command: str, state: Path, *arguments: str) -> "subprocess.Popen[str]":
    """Start `python -m dev.servers COMMAND` with nothing named by the developer who runs the tests."""
    state.mkdir(parents=True, exist_ok=True)
    empty = state.parent / "empty.env"
    empty.touch()
    env = {name: value for name, value in os.environ.items() if name not in HIDDEN} | {"ENV_FILE": str(empty)}
    argv = [sys.executable, "-m", "dev.servers", command, "--state", str(state), *arguments]
    return subprocess.Popen(argv, cwd=ROOT, env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def run(command: str, state: Path, *arguments: str) -> tuple[int, str, str]:
    """Run it to its end: exit code, standard output, standard error."""
    with start(command, state, *arguments) as process:
        output, errors = process.communicate(timeout=90)
    return process.returncode, output, errors


def up_beside_a_rival(state: Path, choose: Callable[[], int], chosen: Path, up: Callable[[Path], object]) -> int:
    """Start a server whose port another program takes between its choice and its binding; returns that port.

    Now and then the server is quicker than the rival: then begin anew.
    """
    for _ in range(5):
        port = choose()
        with _rival(port, chosen) as took:
            up(state)
        if took.is_set():
            return port
        run("down", state, "--wipe")
    raise AssertionError("the server was quicker than its rival five times")


@contextmanager
def _rival(port: int, chosen: Path) -> Iterator[threading.Event]:
    """Hold a port so that it looks free, and listen on it as soon as a server has chosen it in this file."""
    took = threading.Event()
    with socket.socket() as rival:
        rival.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        rival.bind((ports.LOOPBACK, port))

        def snatch() -> None:
            processes.wait_until(lambda: chosen.exists() and str(port) in chosen.read_text(), 30, every=0.0005)
            with suppress(OSError):
                rival.listen()
                took.set()

        thread = threading.Thread(target=snatch)
        thread.start()
        yield took
        thread.join()
