"""Commands that begin with all libraries loaded, for tests: loading them takes longer than what most commands do.

A process that has loaded them forks one process for each command. Apart from that a command runs as `python -m` runs
it: with an environment, arguments and files of its own, from its first line to its exit code.
"""

import multiprocessing
import os
import runpy
import signal
import sys
import warnings
from collections.abc import Mapping, Sequence
from multiprocessing.context import ForkServerContext
from pathlib import Path

from windmill.core.settings import ROOT

LOADED = [
    *(f"windmill.cli.{path.stem}" for path in (ROOT / "windmill" / "cli").glob("[a-z]*.py")),
    *("producers.generic", "producers.images", "workers.generic", "workers.jobs", "postprocessors.all"),
    *("gateway.server", "tests.e2e.step_worker"),
]


class Forked:
    """Such a command, to be asked as a `subprocess.Popen` is."""

    def __init__(
        self,
        module: str,
        arguments: Sequence[str],
        files: tuple[Path, Path, Path],
        cwd: Path,
        environ: Mapping[str, str],
    ) -> None:
        names = tuple(map(str, files))
        given = (module, list(arguments), names, str(cwd), dict(environ))
        self._process = _context().Process(target=_become, args=given)
        self._process.start()
        self.pid = self._process.pid or 0

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def poll(self) -> int | None:
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def wait(self, timeout: float | None = None) -> int | None:
        self._process.join(timeout)
        return self.poll()


def _context() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__, *LOADED])
    return context


def _become(
    module: str, arguments: Sequence[str], files: tuple[str, str, str], cwd: str, environ: Mapping[str, str]
) -> None:
    """Be that command; `files` are its standard input, output and error."""
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(environ)
    for number, (name, flags) in enumerate(zip(files, (os.O_RDONLY, os.O_WRONLY, os.O_WRONLY), strict=True)):
        opened = os.open(name, flags)
        os.dup2(opened, number)
        os.close(opened)
    sys.stdin = open(0, closefd=False)  # noqa: SIM115 - for the rest of this process
    sys.argv = [module, *arguments]
    warnings.resetwarnings()
    warnings.simplefilter("default")
    sys.modules.pop(module, None)  # as what it says at its end stands in no module that is imported
    runpy.run_module(module, run_name="__main__", alter_sys=True)
