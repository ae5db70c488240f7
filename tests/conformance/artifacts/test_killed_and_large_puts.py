"""Files that are large, and programs that are killed while they store one."""

import asyncio
import json
import logging
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.waiting import until
from windmill.core.settings import ROOT
from windmill.storage.artifacts.store import ArtifactStore

MB = 1024 * 1024
MOST_MB = 96
"""What a file of any size may add to the memory of a program: parts that are on their way, and their copies."""
logger = logging.getLogger(__name__)


def sparse(path: Path, size: int) -> Path:
    """A file of that size, most of which is no block of the disk."""
    with path.open("wb") as file:
        file.truncate(size)
        file.write(b"not only zeros")
    return path


def bytes_read(pid: int) -> int:
    """By a process since it began, from wherever."""
    return int(re.findall(r"rchar: (\d+)", Path(f"/proc/{pid}/io").read_text())[0])


def putting(source: Path, variables: dict[str, str]) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.conformance.artifacts.putting", str(source)]
    return subprocess.Popen(command, cwd=ROOT, env={**os.environ, **variables}, stdout=subprocess.PIPE, text=True)


def grown(source: Path, variables: dict[str, str]) -> dict[str, float]:
    child = putting(source, variables)
    said = child.communicate()[0].splitlines()
    assert child.returncode == 0
    assert (source.with_name("back")).stat().st_size == source.stat().st_size
    figures: dict[str, float] = json.loads(said[-1])
    logger.info("%d MB: %s", source.stat().st_size // MB, figures)
    return figures


@pytest.mark.slow(reason="21 s: 300 MB are written and read")
@pytest.mark.timeout(300)
def test_a_file_of_300_mb_takes_little_memory(variables: dict[str, str], tmp_path: Path) -> None:
    figures = grown(sparse(tmp_path / "large", 300 * MB), variables)
    assert figures["put_mb"] < MOST_MB
    assert figures["fetch_mb"] < MOST_MB


@pytest.mark.slow(reason="a minute: gigabytes are hashed, written and read again")
@pytest.mark.timeout(1_200)
def test_a_file_of_gigabytes_takes_no_more_memory_than_one_of_300_mb(variables: dict[str, str], tmp_path: Path) -> None:
    """More than 32 bits with a sign count; less for a bucket, whose server writes each byte three times or keeps it in
    memory."""
    size = 700 if "://" in variables["ARTIFACTS_URL"] else 2_200
    figures = grown(sparse(tmp_path / "large", size * MB), variables)
    assert figures["put_mb"] < MOST_MB
    assert figures["fetch_mb"] < MOST_MB


async def test_a_program_killed_in_the_middle_of_a_put_leaves_nothing_under_the_final_name(
    variables: dict[str, str], store: ArtifactStore, tmp_path: Path
) -> None:
    source = sparse(tmp_path / "large", 300 * MB)
    child = putting(source, variables)
    assert child.stdout
    with child.stdout:
        assert await asyncio.to_thread(child.stdout.readline) == "begins\n"
        read_twice = "://" in variables["ARTIFACTS_URL"]
        await until(lambda: bytes_read(child.pid) > (400 if read_twice else 100) * MB)
        child.kill()
        assert child.wait() < 0
    sizes = [entry.size async for entry in store.list()]
    assert sizes == [10 * MB], "only the file before it is there"
