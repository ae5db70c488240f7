"""What a worker of steps says of itself when it begins and when it ends. Pure."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from windmill.core.settings import Settings
from windmill.jobs.step import Step, StepLimits
from windmill.kernels.net.server_addresses import render_addresses


def tries_of(steps: Sequence[Step]) -> str:
    """How often each step is tried: `4, after 5, 10, 20 s: audio_join; 3: export`."""
    alike: dict[str, list[str]] = defaultdict(list)
    for step in steps:
        alike[_tries(step.limits)].append(step.name)
    return "; ".join(f"{tries}: {','.join(names)}" for tries, names in alike.items())


def _tries(limits: StepLimits) -> str:
    rests = ", ".join(f"{seconds:g}" for seconds in limits.retry_seconds)
    return f"{limits.tries}, after {rests} s" if rests else str(limits.tries)


def servers_of(settings: Settings) -> str:
    """Where it looks for work, and where files are; without names and passwords."""
    database, queues = render_addresses(settings.db_servers()), render_addresses(settings.queue_servers())
    return f"postgresql {database}; rabbitmq {queues}; artifacts {settings.artifacts_url}"


def ended_words(counts: Mapping[str, int]) -> str:
    """`12 succeeded, 0 failed`; other outcomes only where there were any."""
    others = [name for name in counts if name not in ("succeeded", "failed") and counts[name]]
    return ", ".join(f"{counts[name]} {name}" for name in ("succeeded", "failed", *others))
