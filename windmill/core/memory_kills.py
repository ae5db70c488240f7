"""What the kernel does when memory is used up: whom it ends first, and how often it did.

The runner of engines counts by itself (windmill/engines/process/child_runner.py): it has the standard library alone.
"""

import contextlib
from pathlib import Path


def be_the_first_to_go() -> None:
    """Where memory runs out, the kernel kills this process and not its parent, which holds the jobs of others."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")


def kernel_kills() -> int:
    """How often the kernel has ended a process of this control group because memory was used up."""
    try:
        groups = Path("/proc/self/cgroup").read_text().splitlines()
        group = next(line.removeprefix("0::") for line in groups if line.startswith("0::"))
        events = Path("/sys/fs/cgroup", group.lstrip("/"), "memory.events").read_text().split()
        return int(events[events.index("oom_kill") + 1])
    except (OSError, StopIteration, ValueError):
        return 0
