"""Free ports on loopback."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dev.servers import ports

BASE = 29_400


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server((ports.LOOPBACK, 0)) as server:
        yield server


def test_a_port_with_a_listener_is_not_free_and_answers(listener: socket.socket) -> None:
    port = listener.getsockname()[1]
    assert not ports.is_free(port)
    assert ports.answers(ports.LOOPBACK, port)
    listener.close()
    assert ports.is_free(port)
    assert not ports.answers(ports.LOOPBACK, port)


def test_a_listener_on_all_addresses_takes_the_port_too() -> None:
    with socket.create_server(("0.0.0.0", 0)) as server:
        assert not ports.is_free(server.getsockname()[1])


def test_an_instance_is_given_the_same_port_each_time(tmp_path: Path) -> None:
    first = ports.choose(BASE, tmp_path)
    assert ports.choose(BASE, tmp_path) == first
    assert BASE <= first < BASE + ports.SPREAD


def test_a_taken_port_is_passed_over(tmp_path: Path) -> None:
    first = ports.choose(BASE, tmp_path)
    with socket.create_server((ports.LOOPBACK, first)):
        assert ports.choose(BASE, tmp_path) not in (first, None)


def test_the_port_of_last_time_is_preferred_while_it_is_free(tmp_path: Path, listener: socket.socket) -> None:
    last = listener.getsockname()[1]
    assert ports.choose(BASE, tmp_path, last=last) != last
    listener.close()
    assert ports.choose(BASE, tmp_path, last=last) == last


def test_two_directories_begin_at_different_ports(tmp_path: Path) -> None:
    offsets = {ports.offset(tmp_path / str(number)) for number in range(50)}
    assert len(offsets) > 30


def test_a_port_is_listened_on_by_its_own_process_only(listener: socket.socket) -> None:
    port = listener.getsockname()[1]
    assert ports.listens(os.getpid(), port)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        assert not ports.listens(other.pid, port)
        other.kill()
    assert not ports.listens(other.pid, port), "nor by one that is gone"
