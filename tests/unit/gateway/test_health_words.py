"""The health of the gateway in words: what is up, what is down, and what to do."""

from gateway.about.health_words import NO_WORKER, health_of, health_text, health_without_database
from windmill.core.errors import ERROR_CODES, WindmillError
from windmill.operate.status.figures import FleetStatus


def test_all_that_is_up_is_said_to_be() -> None:
    lines = health_text("1.0", health_of(FleetStatus(5, []), worker_running=True)).splitlines()
    assert lines[0] == "Windmill 1.0: the gateway serves, all is up"
    assert [line.split(maxsplit=1) for line in lines[2:]] == [
        ["up", "gateway"], ["up", "PostgreSQL"], ["up", "RabbitMQ"], ["up", "worker of jobs"],
    ]  # fmt: skip


def test_what_is_down_is_told_with_what_to_do() -> None:
    broker = str(WindmillError("BROKER_UNAVAILABLE", "ann at 10.0.0.7: refused"))
    said = health_text("1.0", health_of(FleetStatus(5, [], broker=broker), worker_running=False))
    assert said.startswith("Windmill 1.0: the gateway serves, RabbitMQ and worker of jobs down\n")
    told = {line.split()[1]: line for line in said.splitlines()[2:]}
    assert told["RabbitMQ"].endswith(ERROR_CODES["BROKER_UNAVAILABLE"].remedy)
    assert told["worker"].endswith(NO_WORKER)
    assert told["PostgreSQL"].startswith("up")
    assert "10.0.0.7" not in said


def test_without_the_database_nobody_knows_of_the_others() -> None:
    lines = health_without_database("start it")
    assert [(one.name, one.up) for one in lines] == [
        ("PostgreSQL", False), ("RabbitMQ", None), ("worker of jobs", None),
    ]  # fmt: skip
    assert "down     PostgreSQL       start it" in health_text("1.0", lines)
