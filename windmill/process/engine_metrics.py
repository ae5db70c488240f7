"""The metrics of engines, and their samples."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Protocol

from windmill.core.timings import Histogram
from windmill.process.metric import BREAKER_NUMBERS, Metric, Sample

ENGINE_CALLS = Metric(
    "windmill_engine_calls_total",
    "counter",
    "Requests to an engine: succeeded, waiting (they go on later), failed or cancelled",
    ("engine", "outcome", "code"),
)
ENGINE_SECONDS = Metric(
    "windmill_engine_seconds", "histogram", "A request to an engine that succeeded or failed", ("engine",)
)
ENGINE_RUNNING = Metric("windmill_engine_running", "gauge", "Requests that an engine works on now", ("engine",))
ENGINE_BREAKER = Metric(
    "windmill_engine_breaker_state", "gauge", "0 closed, 1 half-open, 2 open: jobs wait for the engine", ("engine",)
)
ENGINE_AWAY = Metric(
    "windmill_engine_addresses_away",
    "gauge",
    "Addresses of an engine with several that get no requests now",
    ("engine",),
)

ENGINE_METRICS = (ENGINE_CALLS, ENGINE_SECONDS, ENGINE_RUNNING, ENGINE_BREAKER, ENGINE_AWAY)


class HasState(Protocol):
    """A breaker."""

    @property
    def state(self) -> str: ...


class EngineFigures(Protocol):
    """What a process counts of an engine; `calls` by outcome and error code."""

    @property
    def name(self) -> str: ...

    @property
    def calls(self) -> Mapping[tuple[str, str], int]: ...

    @property
    def seconds(self) -> Histogram: ...

    @property
    def running(self) -> int: ...

    @property
    def breaker(self) -> HasState: ...

    @property
    def addresses_away(self) -> int: ...


def engine_samples(engines: Iterable[EngineFigures]) -> Iterator[Sample]:
    """`succeeded` is sampled from the start, as rate() needs a value before the first request."""
    for one in engines:
        engine = (one.name,)
        calls = {("succeeded", ""): 0, **one.calls}
        yield from (Sample(ENGINE_CALLS, (*engine, *key), count) for key, count in sorted(calls.items()))
        yield Sample(ENGINE_SECONDS, engine, one.seconds)
        yield Sample(ENGINE_RUNNING, engine, one.running)
        yield Sample(ENGINE_BREAKER, engine, BREAKER_NUMBERS[one.breaker.state])
        yield Sample(ENGINE_AWAY, engine, one.addresses_away)
