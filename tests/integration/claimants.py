"""Processes that claim tasks, as a test holds them."""

import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from tests.integration.fleet import clean_environment
from windmill.core.settings import ROOT
from windmill.storage.jobs.rows import TaskKey


class ClaimantProcess:
    """One that runs tests.integration.claimant."""

    def __init__(self, environ: Mapping[str, str], folder: Path, pool_size: int) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.integration.claimant", str(pool_size)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
            env={**clean_environment(folder), **environ},
        )

    def tell(self, order: str, **given: object) -> None:
        """Give an order without waiting for it."""
        assert self._process.stdin
        self._process.stdin.write(orjson.dumps({"order": order, **given}) + b"\n")
        self._process.stdin.flush()

    def answer(self) -> Any:  # noqa: ANN401 - any JSON
        """The answer to the oldest order that has none yet."""
        assert self._process.stdout
        line = self._process.stdout.readline()
        assert line, "the claimant has ended; its reason is above"
        said = orjson.loads(line)
        assert "answer" in said, said
        return said["answer"]

    def ask(self, order: str, **given: object) -> Any:  # noqa: ANN401 - any JSON
        self.tell(order, **given)
        return self.answer()

    def close(self) -> None:
        with self._process as process:
            assert process.stdin
            process.stdin.close()
            assert process.wait(30) == 0


@contextmanager
def claimant_processes(
    environ: Mapping[str, str], folder: Path, *, pool_size: int = 4
) -> Iterator[Sequence[ClaimantProcess]]:
    """Two of them, so that a claim of one is one that the other does not have."""
    two = [ClaimantProcess(environ, folder, pool_size) for _ in range(2)]
    try:
        yield two
    finally:
        for one in two:
            one.close()


@dataclass(frozen=True)
class Held:
    """A task that one of them has claimed."""

    key: TaskKey
    lease: str
    holder: ClaimantProcess

    def ask(self, order: str, **given: object) -> Any:  # noqa: ANN401 - any JSON
        return self.holder.ask(order, lease=self.lease, **given)

    def end(self, how: str) -> bool:
        """Whether the lease was good."""
        [good] = self.holder.ask("end", leases=[self.lease], how=how)
        return bool(good)
