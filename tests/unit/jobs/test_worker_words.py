"""What a worker of steps says when it begins and when it ends."""

from tests.job_scene import CountedStep
from windmill.core.settings import Settings, defaults
from windmill.jobs.step import StepLimits
from windmill.jobs.worker_words import ended_words, servers_of, tries_of
from windmill.pipelines.job_steps.catalog import AUDIO_STEPS


def test_it_says_how_often_steps_are_tried_and_after_which_rests() -> None:
    rests = StepLimits(tries=4, retry_seconds=(5, 10, 20))
    steps = [CountedStep("a", limits=rests), CountedStep("b"), CountedStep("c", limits=rests)]
    assert tries_of(steps) == "4, after 5, 10, 20 s: a,c; 3: b"
    assert {told.partition(":")[0] for told in tries_of(AUDIO_STEPS).split("; ")} == {"4, after 5, 10, 20 s"}


def test_it_says_where_its_servers_are_and_tells_no_password() -> None:
    given = {"DB_HOST": "db1,db2:5433", "QUEUE_HOST": "mq", "DB_PASSWORD": "hush", "ARTIFACTS_URL": "/srv/files"}
    told = servers_of(Settings.from_env({**defaults(), **given}))
    assert told == "postgresql db1:5432, db2:5433; rabbitmq mq:5672; artifacts /srv/files"


def test_in_the_end_it_says_how_many_succeeded_and_how_many_failed() -> None:
    assert ended_words({"succeeded": 12, "failed": 0, "retried": 0}) == "12 succeeded, 0 failed"
    assert ended_words({"succeeded": 1, "failed": 2, "retried": 3}) == "1 succeeded, 2 failed, 3 retried"
