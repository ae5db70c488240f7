"""The instance's small files."""

import stat
import subprocess
import sys
from pathlib import Path

from dev.servers import files


def test_a_private_file_is_for_its_owner_only_and_replaces_the_old_one_whole(tmp_path: Path) -> None:
    path = tmp_path / "made" / "local.env"
    files.write_private(path, "a long first text\n")
    files.write_private(path, "short\n")
    assert path.read_text() == "short\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(path.parent.iterdir()) == [path], "no temporary file is left"


def test_a_cookie_can_be_written_read_only(tmp_path: Path) -> None:
    files.write_private(tmp_path / "cookie", "secret", mode=0o400)
    assert stat.S_IMODE((tmp_path / "cookie").stat().st_mode) == 0o400


def test_a_file_that_is_cut_short_reads_as_empty(tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    assert files.read_json(path) == {}
    path.write_text('{"pid": 12')
    assert files.read_json(path) == {}
    path.write_text("[1]")
    assert files.read_json(path) == {}
    files.write_json(path, {"pid": 12})
    assert files.read_json(path) == {"pid": 12}


def test_a_lock_is_waited_for_and_ends_with_its_holder(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    code = f"from dev.servers import files; import pathlib, sys\nwith files.locked(pathlib.Path({str(lock)!r}), print):"
    holder = [sys.executable, "-c", code + "\n sys.stdout.write('held\\n'); sys.stdout.flush(); sys.stdin.read()"]
    waited: list[str] = []
    with subprocess.Popen(holder, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"

        def on_wait() -> None:
            waited.append("waited")
            process.kill()

        with files.locked(lock, on_wait):
            assert waited == ["waited"]
    with files.locked(lock, on_wait):
        assert waited == ["waited"], "a lock that nobody holds is had at once"
