"""The child process of one task: reads its order from standard input, runs the step, and writes progress and the end as
lines of JSON. What the step prints goes to standard error, into the log of the worker.

It ends with its worker: the kernel kills it when the worker dies."""

import asyncio
import ctypes
import importlib
import os
import resource
import signal
import sys
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import orjson

from windmill.core.errors import WindmillError
from windmill.core.memory_kills import be_the_first_to_go
from windmill.jobs.step import JobView, StepCatalog, Suspended, TaskResult
from windmill.jobs.task_run import GivenTask, TaskWork, run_step
from windmill.storage.jobs.rows import TaskKey

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Run the task that standard input orders."""
    _die_with_parent(os.getppid())
    be_the_first_to_go()
    order = orjson.loads(sys.stdin.buffer.readline())
    _bound_memory(order["memory_bytes"])
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


def _bound_memory(most: int) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        resource.setrlimit(resource.RLIMIT_AS, (most, most))


async def _run(order: Mapping[str, Any], say: Callable[[Mapping[str, Any]], None]) -> Mapping[str, Any]:
    """What became of the task."""
    module, _, name = order["source"].partition(":")
    catalog: StepCatalog = getattr(importlib.import_module(module), name)
    step = catalog.find(order["step"], order["version"])
    assert step, f"{order['source']} has no step {order['step']} in version {order['version']}"
    job = JobView(**{**order["job"], "public_id": uuid.UUID(order["job"]["public_id"])})
    files = {name: [Path(path) for path in paths] for name, paths in order["files"].items()}
    given = (order["name"], job, order["input"], order["parameters"], files, Path(order["scratch"]))
    work = TaskWork(*given, key=TaskKey(*order["key"]), resumed=order["resumed"])
    task = GivenTask(**vars(work), report=lambda done: say({"progress": done}))
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancelled.set)
    try:
        return _render(await run_step(step, task))
    except WindmillError as error:
        told = {"code": error.code, "message": error.message, "remedy": error.remedy, "retry": error.retry}
        return {"error": {**told, "retry_after": error.retry_after}}


def _render(result: TaskResult | Suspended) -> Mapping[str, Any]:
    if isinstance(result, Suspended):
        return {"suspended": {**vars(result), "state": dict(result.state)}}
    files = [{"name": one.name, "path": str(one.path), "media_type": one.media_type} for one in result.artifacts]
    return {
        "output": dict(result.output),
        "artifacts": files,
        "timings": dict(result.timings),
        "warnings": list(result.warnings),
    }


if __name__ == "__main__":
    main()
