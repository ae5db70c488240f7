"""Lost broker sessions are left out of the delivery count of a job."""

import pytest

from windmill.core.messages import FIRST
from windmill.edge.received_messages import Envelope
from windmill.edge.session_losses import SessionLosses


def envelope(handed_out: int, *, uncounted: bool = False) -> Envelope:
    return Envelope({}, FIRST, handed_out, uncounted)


@pytest.mark.parametrize(("lost", "handed_out", "left"), [(0, 3, 3), (1, 3, 2), (3, 3, 0), (5, 3, 0)])
def test_each_lost_session_is_left_out_once(lost: int, handed_out: int, left: int) -> None:
    losses = SessionLosses()
    for _ in range(lost):
        losses.note("clip", b"job")
    assert losses.without_losses("clip", b"job", envelope(handed_out)).handed_out == left


def test_a_redelivery_by_a_classic_queue_is_explained_by_a_lost_session() -> None:
    losses = SessionLosses()
    assert losses.without_losses("clip", b"job", envelope(2, uncounted=True)).uncounted
    losses.note("clip", b"job")
    assert losses.without_losses("clip", b"job", envelope(2, uncounted=True)) == envelope(2)


def test_the_job_of_another_service_and_one_that_is_forgotten_keep_their_count() -> None:
    losses = SessionLosses()
    losses.note("clip", b"job")
    assert losses.without_losses("ocr", b"job", envelope(1)) == envelope(1)
    losses.forget("clip", b"job")
    assert losses.without_losses("clip", b"job", envelope(1)) == envelope(1)


def test_of_too_many_jobs_the_oldest_are_forgotten() -> None:
    losses = SessionLosses(most=2)
    for body in (b"a", b"b", b"a", b"c"):
        losses.note("clip", body)
    left = [losses.without_losses("clip", body, envelope(5)).handed_out for body in (b"a", b"b", b"c")]
    assert left == [3, 5, 4]
