"""The samples of engines."""

from collections import Counter
from dataclasses import dataclass, field

from windmill.calling.circuit_breaker import CircuitBreaker
from windmill.core.errors import WindmillError
from windmill.core.timings import ENGINE_SECONDS, Histogram
from windmill.process import engine_metrics
from windmill.process.engine_metrics import engine_samples


@dataclass
class Counted:
    name: str = "comfy"
    calls: Counter[tuple[str, str]] = field(default_factory=Counter)
    seconds: Histogram = field(default_factory=lambda: Histogram(ENGINE_SECONDS))
    running: int = 2
    breaker: CircuitBreaker = field(default_factory=lambda: CircuitBreaker("comfy"))
    addresses_away: int = 1


def test_an_engine_is_sampled_before_its_first_success_and_by_each_code() -> None:
    engine = Counted(calls=Counter({("failed", "SERVICE_ERROR"): 3}))
    engine.breaker.trip(WindmillError("SERVICE_UNREACHABLE", "away"))
    found = {(one.metric, *one.labels): one.value for one in engine_samples([engine])}
    assert found[engine_metrics.ENGINE_CALLS, "comfy", "succeeded", ""] == 0
    assert found[engine_metrics.ENGINE_CALLS, "comfy", "failed", "SERVICE_ERROR"] == 3
    assert found[engine_metrics.ENGINE_RUNNING, "comfy"] == 2
    assert found[engine_metrics.ENGINE_BREAKER, "comfy"] == 2
    assert found[engine_metrics.ENGINE_AWAY, "comfy"] == 1
    assert found[engine_metrics.ENGINE_SECONDS, "comfy"] is engine.seconds
