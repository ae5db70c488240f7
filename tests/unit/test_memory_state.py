"""Where the private servers of tests keep their data."""

from pathlib import Path

import pytest

from dev.servers import ALL
from tests import memory_state


@pytest.fixture
def memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "memory"
    folder.mkdir()
    monkeypatch.setattr(memory_state, "MEMORY", folder)
    monkeypatch.setattr(memory_state, "ROOM", 0)
    return folder


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """As a run on the disk has left it."""
    folder = tmp_path / "state"
    for server in ALL:
        (folder / server / "data").mkdir(parents=True)
    return folder


def test_each_run_begins_anew_in_memory_and_leaves_its_logs_on_the_disk(memory: Path, state: Path) -> None:
    for run in ("killed", "ended"):
        memory_state.begin(state)
        assert [(state / server).resolve().is_relative_to(memory) for server in ALL] == [True] * len(ALL)
        assert [list((state / server).iterdir()) for server in ALL] == [[]] * len(ALL)
        (state / ALL[0] / "server.log").write_text(run)
    memory_state.end(state)
    assert list(memory.iterdir()) == []
    assert [path.name for path in state.iterdir()] == ["logs"]
    assert (state / "logs" / "server.log").read_text() == "ended"


def test_after_a_restart_of_the_machine_a_run_begins_anew(memory: Path, state: Path) -> None:
    memory_state.begin(state)
    for folder in memory.iterdir():
        folder.rename(memory.parent / "gone")
    memory_state.begin(state)
    assert all((state / server).is_dir() for server in ALL)


def test_with_little_memory_the_disk_is_used_as_it_was(
    memory: Path, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory_state, "ROOM", 2**62)
    memory_state.begin(state)
    memory_state.end(state)
    assert list(memory.iterdir()) == []
    assert all((state / server / "data").is_dir() for server in ALL)


def test_a_state_that_is_new_begins_in_memory(memory: Path, tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    memory_state.begin(tmp_path / "new")
    assert len(list(memory.glob("*/*"))) == len(ALL)
