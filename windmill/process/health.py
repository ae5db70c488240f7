"""Liveness and readiness: named health checks, each of which returns what is wrong, or None.

A check reads what the process already knows. It opens no connection, so probes are cheap.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

HealthCheck = Callable[[], str | None]


@dataclass(frozen=True)
class HealthReport:
    """The checks that passed, and what is wrong with the others."""

    ok: list[str]
    failing: dict[str, str]


class Health:
    """`alive` checks decide whether the process has to be restarted; `ready` checks whether it waits for something and
    recovers by itself."""

    def __init__(self, *, alive: Mapping[str, HealthCheck], ready: Mapping[str, HealthCheck]) -> None:
        self._alive = dict(alive)
        self._ready = dict(ready)

    def alive(self) -> HealthReport:
        return _report(self._alive)

    def ready(self) -> HealthReport:
        """A process that is not alive is not ready either."""
        return _report(self._alive | self._ready)


def merge_reports(reports: Mapping[str, HealthReport]) -> HealthReport:
    """The reports of the parts of a process as one. A check fails if it does in any part, and says in which."""
    failing: dict[str, list[str]] = {}
    for part, report in reports.items():
        for check, trouble in report.failing.items():
            failing.setdefault(check, []).append(f"{part}: {trouble}")
    ok = dict.fromkeys(check for report in reports.values() for check in report.ok if check not in failing)
    return HealthReport(list(ok), {check: "; ".join(troubles) for check, troubles in failing.items()})


def _report(checks: Mapping[str, HealthCheck]) -> HealthReport:
    results = {name: _run(check) for name, check in checks.items()}
    return HealthReport(
        ok=[name for name, trouble in results.items() if trouble is None],
        failing={name: trouble for name, trouble in results.items() if trouble is not None},
    )


def _run(check: HealthCheck) -> str | None:
    try:
        return check()
    except Exception as error:  # noqa: BLE001 - a check that raises is a failure, and must not hide the others
        return f"the check itself failed: {error!r}"
