"""How far a run is, from its answers or from the queues."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from windmill.operate.runs.outlook import RunAnswers, RunRow, outlook
from windmill.operate.status.figures import ServiceStatus

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
RUN = RunRow(
    run_id=1, services=("clip", "ocr"), selection="new", image_group=None, urgent=False, principal="ann",
    first_image_id=0, until_image_id=100, last_image_id=100, images=100, jobs=200, started_at=NOON, updated_at=NOON,
    finished_at=NOON, cancelled_at=None, ended_at=None,
)  # fmt: skip
CLIP, OCR = ServiceStatus("clip", rate=10.0, breaker="closed"), ServiceStatus("ocr", rate=1.0, breaker="closed")
SERVICES = {"clip": CLIP, "ocr": OCR}


def answered(clip: int, ocr: int, failed: int = 0) -> dict[str, RunAnswers]:
    return {"clip": RunAnswers(clip, failed), "ocr": RunAnswers(ocr, 0)}


def test_a_run_is_as_far_as_its_answers_and_takes_as_long_as_its_slowest_service() -> None:
    seen = outlook(RUN, answered(100, 40, failed=3), SERVICES)
    assert (seen.status, seen.answered, seen.failed, seen.exact) == ("running", 140, 3, True)
    assert (seen.progress, seen.eta_seconds) == (0.7, 60.0)


def test_what_is_not_published_yet_is_counted_by_its_share() -> None:
    half = replace(RUN, last_image_id=50, images=50, jobs=100, finished_at=None)
    seen = outlook(half, answered(50, 50), SERVICES)
    assert (seen.status, seen.progress, seen.eta_seconds) == ("publishing", 0.5, 50.0)
    fresh = replace(RUN, last_image_id=0, images=0, jobs=0, finished_at=None)
    seen = outlook(fresh, {}, SERVICES)
    assert (seen.status, seen.progress, seen.eta_seconds) == ("queued", 0.0, None)


@pytest.mark.parametrize("stands", [replace(OCR, rate=0.0), replace(OCR, breaker="open"), ServiceStatus("ocr")])
def test_nobody_knows_when_a_run_is_done_while_a_service_of_it_stands_still(stands: ServiceStatus) -> None:
    assert outlook(RUN, answered(100, 40), {"clip": CLIP, "ocr": stands}).eta_seconds is None
    assert outlook(RUN, answered(100, 100), {}).eta_seconds == 0.0


def test_of_a_run_that_is_too_long_to_be_counted_what_waits_in_the_queues_is_left() -> None:
    services = {"clip": replace(CLIP, queued=20, in_flight=5, retrying=5), "ocr": replace(OCR, queued=1_000)}
    seen = outlook(RUN, None, services)
    assert (seen.answered, seen.failed, seen.exact, seen.status) == (70, None, False, "running")
    assert (seen.progress, seen.eta_seconds) == (0.35, 100.0)


def test_a_run_that_was_cancelled_and_one_without_any_job_are_done() -> None:
    cancelled = replace(RUN, until_image_id=10, last_image_id=10, jobs=20, cancelled_at=NOON)
    assert outlook(cancelled, answered(2, 2), SERVICES).status == "cancelled"
    nothing = outlook(replace(RUN, images=0, jobs=0), {}, {})
    assert (nothing.status, nothing.progress, nothing.eta_seconds) == ("succeeded", 1.0, 0.0)


def test_a_run_whose_end_was_told_stays_at_its_end_whatever_became_of_its_images() -> None:
    ended = replace(RUN, ended_at=NOON)
    assert outlook(ended, answered(100, 99), SERVICES).status == "succeeded"
    assert outlook(ended, answered(100, 99), SERVICES).eta_seconds == 0.0
