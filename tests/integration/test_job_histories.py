"""Whatever happens to jobs in whatever order, over a real PostgreSQL: no finished step runs again, no task has two live
leases, no job is left in a state that nobody ends, and progress never falls.

Two processes other than the test claim, renew and end; they share a RabbitMQ that loses tokens or has too many.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from hypothesis.stateful import run_state_machine_as_test

from tests.integration.claimants import ClaimantProcess, claimant_processes
from tests.integration.history_database import HistoryDatabase
from tests.integration.job_histories import JobHistories
from windmill.core.settings import Settings

pytestmark = [pytest.mark.database, pytest.mark.broker]


@pytest.fixture
def claimants(environ: Mapping[str, str], tmp_path: Path) -> Iterator[Sequence[ClaimantProcess]]:
    with claimant_processes(environ, tmp_path) as two:
        yield two


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    "histories", [5, pytest.param(100, marks=pytest.mark.slow(reason="90 s: ever more histories"))]
)
def test_no_order_of_what_happens_to_jobs_breaks_a_promise(
    histories: int, settings: Settings, claimants: Sequence[ClaimantProcess]
) -> None:
    used = HistoryDatabase(settings, claimants)
    chosen = hypothesis_settings(
        max_examples=histories, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
    )
    try:
        run_state_machine_as_test(lambda: JobHistories(used), settings=chosen)  # type: ignore[arg-type]
    finally:
        used.close()
