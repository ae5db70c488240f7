"""A real Prometheus that asks a fleet at work: every question of the dashboard and of the alerts has an answer."""

import asyncio
import json
import re
import shutil
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from deploy.grafana.__main__ import FILE
from dev.servers import databases
from tests.e2e.conftest import Farm
from tests.e2e.metered_broker import MeteredBroker, running_metered_broker
from tests.e2e.prometheus import FOLDER, Prometheus, running_prometheus
from tests.integration.fleet import Fleet, unavailable
from tests.parallel import RETRY_DELAYS, free_offset
from tests.unit.manifests import document
from tests.waiting import until
from windmill.core.settings import Settings

pytestmark = [pytest.mark.database, pytest.mark.broker, pytest.mark.timeout(300)]

DASHBOARD = json.loads(FILE.read_text(encoding="utf-8"))
VARIABLES = {one["name"]: one.get("allValue") or one["current"]["value"] for one in DASHBOARD["templating"]["list"]}
VARIABLES["__rate_interval"] = "30s"
ALERTS = {rule["alert"]: rule["expr"] for group in document(FOLDER / "alerts.yml")["groups"] for rule in group["rules"]}
NOT_ASKED_HERE = (
    "windmill_addresses_away",
    "windmill_address_calls_total",
    "windmill_step_",
    "windmill_engine_",
    "windmill_gateway_",
)
"""Only services with several addresses have the first two, and here each has one. Here is no worker of jobs and no
gateway."""
NOT_HERE = {"node_filesystem_avail_bytes", "node_filesystem_size_bytes"}
"""What a node_exporter tells, which is a program of its own: that Prometheus takes the question is all we see."""


def questions() -> list[str]:
    """The expressions of the dashboard, as Grafana sends them when all services are chosen."""
    targets = [target["expr"] for panel in DASHBOARD["panels"] for target in panel.get("targets", ())]
    return [re.sub(r"\$\{?(\w+)\}?", lambda found: VARIABLES[found[1]], expression) for expression in targets]


@pytest.fixture
def program() -> str:
    found = shutil.which("prometheus")
    if found is None:
        unavailable("no Prometheus is installed here; on Debian: apt install prometheus")
    return str(found)


@pytest.fixture
def metered_broker(program: str, servers: Mapping[str, str], tmp_path: Path) -> Iterator[MeteredBroker]:
    with running_metered_broker(tmp_path / "broker") as started:
        yield started


@pytest.fixture
def environ(metered_broker: MeteredBroker, servers: Mapping[str, str], template: str) -> Iterator[dict[str, str]]:
    name = f"windmill_{uuid.uuid4().hex[:8]}"
    own = {"DB_NAME": name, "RETRY_DELAYS": RETRY_DELAYS, "METRICS_HOST": "127.0.0.1"}
    found = {**servers, **metered_broker.variables(), **own}
    settings = Settings.from_env(found)
    asyncio.run(databases.create(settings, name, template=template))
    yield found
    asyncio.run(databases.drop(settings, name))


@pytest.mark.slow(reason="25 s: starts a RabbitMQ and a Prometheus, which asks once a second")
async def test_a_fleet_at_work_answers_all_that_dashboard_and_alerts_ask(
    fleet: Fleet, farm: Farm, picture: bytes, metered_broker: MeteredBroker, program: str, tmp_path: Path
) -> None:
    offset = free_offset([0, 40, 80])
    targets = {
        "windmill": [offset, offset + 40, offset + 80],
        "rabbitmq": [metered_broker.metrics_port],
        "rabbitmq-queues": [metered_broker.metrics_port],
    }
    with running_prometheus(program, tmp_path / "prometheus", targets) as prometheus:
        await _work(fleet, farm, picture, [str(port) for port in targets["windmill"]])
        await _all_answered(prometheus, fleet)
        for expression in ALERTS.values():
            prometheus.samples(expression)
        _alerts_ask_for_what_there_is(prometheus)
        farm.misbehave("yolov8", down=1)
        # Past the producer, which still waits: only one may be at work.
        (image_id,) = await fleet.register_pictures(1, picture)
        path = await fleet.rows.fetchval("SELECT image_path FROM images WHERE image_id = $1", image_id)
        await fleet.put("yolov8", json.dumps({"image_id": image_id, "image_path": path}).encode())
        seen = 'ALERTS{alertname="BreakerOpen", alertstate="pending", service="yolov8"}'
        await until(lambda: prometheus.samples(seen), 60, lambda: f"the breaker seen to be open\n{fleet.logs()}")
        rules = [rule for group in prometheus.ask("rules")["groups"] for rule in group["rules"]]
        assert {rule["name"]: rule["health"] for rule in rules} == dict.fromkeys(ALERTS, "ok")


async def _work(fleet: Fleet, farm: Farm, picture: bytes, ports: list[str]) -> None:
    """Answers, jobs that are given up or tried again, and boxes enriched, while a producer waits for a queue of which
    nobody takes anything."""
    farm.misbehave("yolov8", error_rate=0.3)
    await fleet.register_pictures(30, picture)
    await fleet.register(1100)
    await fleet.declare("yolov8", "clip")
    await fleet.worker("yolov8", METRICS_PORT=ports[0])
    postprocessors = fleet.start("postprocessors.all", METRICS_PORT=ports[1])
    await postprocessors.says(" post-processing ")
    producer = fleet.start(
        "producers.generic", "--services", "yolov8,clip", "--max-queued", "500", METRICS_PORT=ports[2]
    )
    await producer.says("waiting for the queues to drain")


async def _all_answered(prometheus: Prometheus, fleet: Fleet) -> None:
    """Return once no question is without data."""
    left = [one for one in questions() if not any(name in one for name in NOT_ASKED_HERE)]
    assert len(left) > 30

    def none_left() -> bool:
        left[:] = [one for one in left if not prometheus.samples(one)]
        return not left

    await until(none_left, 90, lambda: f"data for {json.dumps(left, indent=1)}\n{fleet.logs()}")


def _alerts_ask_for_what_there_is(prometheus: Prometheus) -> None:
    named = {name for one in ALERTS.values() for name in re.findall(r"\b(?:up|(?:windmill|rabbitmq|node)_\w+)\b", one)}
    assert named >= NOT_HERE
    asked = {name for name in named if not name.startswith(NOT_ASKED_HERE)}
    assert {name for name in asked if not prometheus.samples(name)} == NOT_HERE
