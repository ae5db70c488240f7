"""Which of several engines does a piece of work: the first that can, in order of preference.

What an engine or its operator is to blame for leads to the next one. What the job itself is to blame for would fail
there as well. No failure is lost: it is told with the result, or in the error when all have failed.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from windmill.core.errors import ERROR_CODES, Retry, WindmillError
from windmill.engines.engine import EngineResult

_HOPE: Sequence[Retry] = ("pause", "later", "never")
"""An engine that may be back soon is worth waiting for, whatever the others lack."""


@dataclass(frozen=True)
class PassedOver:
    """An engine that would have been preferred, and why it did not do the work."""

    engine: str
    error: WindmillError

    def __str__(self) -> str:
        return f"{self.engine}: {self.error.code}: {self.error.message}"


@dataclass(frozen=True)
class Chosen:
    """What was made or begun, by whom, and instead of whom."""

    engine: str
    output: EngineResult
    passed_over: Sequence[PassedOver]


async def use_preferred(engines: Sequence[str], use: Callable[[str], Awaitable[EngineResult]]) -> Chosen:
    """Try one engine after the other."""
    passed_over: list[PassedOver] = []
    for engine in engines:
        try:
            return Chosen(engine, await use(engine), passed_over)
        except WindmillError as error:
            if ERROR_CODES[error.code].culprit not in ("service", "operator"):
                raise
            passed_over.append(PassedOver(engine, error))
    raise _all_failed(passed_over)


def _all_failed(failures: Sequence[PassedOver]) -> WindmillError:
    if not failures:
        return WindmillError("DEPENDENCY_MISSING", "no engine is named that could do it")
    error = min((one.error for one in failures), key=lambda found: _HOPE.index(found.retry))
    return WindmillError(error.code, "; ".join(map(str, failures)), error.remedy, error.retry, error.retry_after)
