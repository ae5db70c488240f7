"""What queues and retry tiers are called."""

import pytest

from windmill import broker
from windmill.core.messages import URGENT_HEADER
from windmill.core.settings import Settings
from windmill.kernels.flow.retry_backoff import jittered_delays


def test_a_service_has_a_work_queue_and_a_failed_queue_under_the_prefix() -> None:
    settings = Settings.from_env({"QUEUE_PREFIX": "mine_"})
    assert broker.work_queue(settings, "clip") == "mine_clip"
    assert broker.urgent_queue(settings, "clip") == "mine_clip_urgent"
    assert broker.failed_queue(settings, "clip") == "mine_clip.failed"


@pytest.mark.parametrize(
    ("delay", "tiers"),
    [
        (5, (4.0, 5.0, 6.0)),
        (10, (8.0, 10.0, 12.0)),
        (0.2, (0.16, 0.2, 0.24)),
        (0.003, (0.002, 0.003, 0.004)),
        (0.001, (0.001, 0.001, 0.001)),
    ],
)
def test_a_delay_has_a_tier_a_little_shorter_and_one_a_little_longer(delay: float, tiers: tuple[float, ...]) -> None:
    assert jittered_delays(delay) == tiers


@pytest.mark.parametrize("delays", ["5,10,20", "0.001", "0.2,0.4", "1,1,1", "0.0014,86400", "4,5,6"])
def test_every_tier_a_job_may_be_sent_to_is_among_those_that_are_declared(delays: str) -> None:
    settings = Settings.from_env({"RETRY_DELAYS": delays})
    declared = {broker.retry_exchange(settings, tier) for tier in broker.retry_tiers(settings)}
    assert {
        broker.retry_exchange(settings, tier) for delay in settings.retry_delays for tier in jittered_delays(delay)
    } == declared
    assert len(declared) == len(broker.retry_tiers(settings)), "no tier is declared twice"


@pytest.mark.parametrize("delay", [0.001, 0.0016, 0.16, 4, 86_400 * 1.2])
def test_the_name_of_a_tier_says_how_long_it_holds_a_job(delay: float) -> None:
    settings = Settings.from_env({})
    arguments = broker.tier_arguments(settings, delay)
    assert broker.retry_exchange(settings, delay) == f"queue_retry.{arguments['x-message-ttl']}"
    assert arguments["x-message-ttl"] != 0


def test_only_quorum_queues_are_asked_to_hand_expired_jobs_on_at_least_once() -> None:
    quorum = broker.tier_arguments(Settings.from_env({}), 5)
    classic = broker.tier_arguments(Settings.from_env({"QUEUE_TYPE": "classic"}), 5)
    assert quorum.keys() - classic.keys() == {"x-dead-letter-strategy", "x-overflow"}


def test_fleets_with_different_prefixes_share_no_retry_tier() -> None:
    """They may differ in QUEUE_TYPE, and one may be stopped and its queues deleted."""
    one, other = (Settings.from_env({"QUEUE_PREFIX": prefix}) for prefix in ("one_", "other_"))
    tiers = [
        {broker.retry_exchange(settings, tier) for tier in broker.retry_tiers(settings)} for settings in (one, other)
    ]
    assert not tiers[0] & tiers[1]


@pytest.mark.parametrize(("headers", "queue"), [({}, "queue_clip"), ({URGENT_HEADER: True}, "queue_clip_urgent")])
def test_a_job_waits_in_the_queue_that_its_header_says(headers: dict[str, object], queue: str) -> None:
    assert broker.queue_of_job(Settings.from_env({}), "clip", headers) == queue
