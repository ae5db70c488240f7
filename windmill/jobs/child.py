"""The child process of one task: reads its order from standard input, runs the step, and writes progress and the end as
lines of JSON. What the step prints goes to standard error, into the log of the worker.

It ends with its worker: the kernel kills it when the worker dies."""

import asyncio
import ctypes
import importlib
import os
import signal
import sys
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import orjson

from windmill.core.errors import WindmillError
from windmill.jobs.step import JobView, StepCatalog, TaskResult
from windmill.jobs.task_run import GivenTask, run_step

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Run the task that standard input orders."""
    _die_with_parent(os.getppid())
    order = orjson.loads(sys.stdin.buffer.readline())
    lines = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)

    def say(what: Mapping[str, Any]) -> None:
        lines.write(orjson.dumps(what) + b"\n")

    say(asyncio.run(_run(order, say)))


def _die_with_parent(parent: int) -> None:
    """Linux only; elsewhere a child whose worker was killed runs to its end, and nobody hears it."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)


async def _run(order: Mapping[str, Any], say: Callable[[Mapping[str, Any]], None]) -> Mapping[str, Any]:
    """What became of the task."""
    module, _, name = order["source"].partition(":")
    catalog: StepCatalog = getattr(importlib.import_module(module), name)
    step = catalog.find(order["step"], order["version"])
    assert step, f"{order['source']} has no step {order['step']} in version {order['version']}"
    job = JobView(**{**order["job"], "public_id": uuid.UUID(order["job"]["public_id"])})
    scratch = Path(order["scratch"])
    task = GivenTask(job, order["input"], order["parameters"], scratch, lambda done: say({"progress": done}))
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancelled.set)
    try:
        return _render(await run_step(step, task))
    except WindmillError as error:
        told = {"code": error.code, "message": error.message, "remedy": error.remedy, "retry": error.retry}
        return {"error": {**told, "retry_after": error.retry_after}}


def _render(result: TaskResult) -> Mapping[str, Any]:
    files = [{"name": one.name, "path": str(one.path), "media_type": one.media_type} for one in result.artifacts]
    return {"output": dict(result.output), "artifacts": files, "timings": dict(result.timings)}


if __name__ == "__main__":
    main()
