"""The doctor and the broker: queues, tiers, policies, accounts, and one that hangs."""

import time

import pytest

from tests.conformance.services.serving import CLOSED_PORT
from tests.integration.doctor.patient import Patient
from tests.integration.proxy import Proxy
from tests.waiting import until
from windmill import broker
from windmill.broker.management import limit_deliveries, quoted_vhost

pytestmark = [pytest.mark.broker, pytest.mark.database]


async def test_nothing_is_declared_and_nothing_stays_that_was_not_there(undeclared: Patient) -> None:
    report = await undeclared.examined()
    without_management = await undeclared.examined(QUEUE_MANAGEMENT_PORT=str(CLOSED_PORT))
    name = broker.work_queue(undeclared.settings, "clip")
    for one in (report, without_management):
        assert one.code == 1
        assert one.of(name)["state"] == "problem"
        assert one.of(name)["found"] == f"missing: +queue {name}"
        assert one.of(name)["remedy"] == "python -m windmill declare"
    assert undeclared.queues() == set()


@pytest.mark.parametrize("variables", [{}, {"QUEUE_MANAGEMENT_PORT": str(CLOSED_PORT)}], ids=["management", "amqp"])
async def test_a_queue_that_is_missing_or_of_another_type_is_named(patient: Patient, variables: dict[str, str]) -> None:
    missing, other = broker.work_queue(patient.settings, "clip"), broker.failed_queue(patient.settings, "yolov8")
    await patient.fleet.delete_queue("clip")
    await patient.declare_queue(other, **{"x-queue-type": "classic"})
    report = await patient.examined(**variables)
    assert sorted(report.problems) == sorted([missing, other])
    assert report.of(missing)["remedy"] == "python -m windmill declare"
    assert report.of(other)["found"] == "differs: -x-queue-type=classic +x-queue-type=quorum"
    assert report.of(other)["remedy"].startswith("set QUEUE_TYPE to the type it has, or: empty it")
    assert f"delete_queue {other} --if-empty" in report.of(other)["remedy"]


@pytest.mark.parametrize("variables", [{}, {"QUEUE_MANAGEMENT_PORT": str(CLOSED_PORT)}], ids=["management", "amqp"])
async def test_a_tier_with_another_delay_is_named(undeclared: Patient, variables: dict[str, str]) -> None:
    tier = broker.retry_exchange(undeclared.settings, undeclared.settings.retry_delays[0])
    await undeclared.declared()
    await undeclared.declare_queue(tier, **broker.tier_arguments(undeclared.settings, 0.005))
    report = await undeclared.examined(**variables)
    assert report.of(tier)["state"] == "problem"
    assert report.of(tier)["found"] == "differs: -x-message-ttl=5 +x-message-ttl=200"
    assert "stop the workers and wait until it has emptied itself" in report.of(tier)["remedy"]


async def test_a_tier_whose_way_in_is_broken_is_named(undeclared: Patient) -> None:
    settings = undeclared.settings
    names = [broker.retry_exchange(settings, delay) for delay in broker.retry_tiers(settings)]
    await undeclared.declared()
    async with broker.connection(settings, "test") as opened, opened.channel() as channel:
        await channel.exchange_delete(names[0])
        queue = await channel.declare_queue(names[1], passive=True)
        await queue.unbind(names[1])
    report = await undeclared.examined()
    assert report.problems == [f"exchange {names[0]}", f"binding {names[1]}"]
    assert report.of(f"binding {names[1]}")["remedy"] == "python -m windmill declare"
    blind = await undeclared.examined(QUEUE_MANAGEMENT_PORT=str(CLOSED_PORT))
    assert blind.problems == [f"exchange {names[0]}"]
    assert "bindings" in blind.of("management", "topology")["found"]


async def test_a_policy_that_was_changed_is_shown_as_a_diff(patient: Patient) -> None:
    limit_deliveries(patient.settings, ["clip"], limit=3)
    report = await patient.examined()
    names = [f"policy {queue(patient.settings, 'clip')}" for queue in (broker.work_queue, broker.urgent_queue)]
    assert report.problems == names
    for name in names:
        assert report.of(name)["found"] == "differs: -delivery-limit=3 +delivery-limit=20"
        assert report.of(name)["remedy"] == "python -m windmill declare"


async def test_a_policy_that_another_overrides_is_named_with_the_other(patient: Patient) -> None:
    queue = broker.work_queue(patient.settings, "clip")
    path = f"policies/{quoted_vhost(patient.settings)}/stranger-{queue}"
    stranger = {"pattern": f"^{queue}$", "definition": {"max-length": 10}, "apply-to": "queues", "priority": 9}
    patient.api("PUT", path, stranger)
    try:
        report = await patient.examined()
    finally:
        patient.api("DELETE", path)
    assert report.problems == [f"policy {queue}"]
    assert f"overridden by policy stranger-{queue} of priority 9" in report.of(f"policy {queue}")["found"]


async def test_a_queue_that_no_setting_names_is_told_with_what_it_holds(patient: Patient) -> None:
    stray = broker.work_queue(patient.settings, "extra")
    await patient.declare_queue(stray, **{"x-queue-type": "classic"})
    for _ in range(3):
        await patient.fleet.put("extra", b"{}")
    await patient.fleet.put("clip", b"{}")
    await until(lambda: patient.messages("clip") == 1)
    report = await patient.examined()
    assert report.code == 0, report.text
    assert (report.of(stray)["state"], report.of(stray)["found"]) == (
        "warning",
        "named by no setting of this machine; it holds 3 messages",
    )
    assert report.of(broker.work_queue(patient.settings, "clip"))["found"] == "1 waiting, and nobody consumes"


@pytest.mark.parametrize(("most", "problems"), [(1, ["two connections"]), (2, [])])
async def test_an_account_must_be_allowed_two_connections_and_no_more(
    patient: Patient, most: int, problems: list[str]
) -> None:
    name = patient.settings.queue_prefix.strip("_")
    patient.api("PUT", f"users/{name}", {"password": "p", "tags": ""})
    try:
        everything = {"configure": ".*", "write": ".*", "read": ".*"}
        patient.api("PUT", f"permissions/{quoted_vhost(patient.settings)}/{name}", everything)
        patient.api("PUT", f"user-limits/{name}/max-connections", {"value": most})
        report = await patient.examined(QUEUE_USER=name, QUEUE_PASSWORD="p")
    finally:
        patient.api("DELETE", f"users/{name}")
    assert report.problems == problems
    assert "tag policymaker" in report.of("management", "broker")["remedy"]


@pytest.mark.slow(reason="7 s: the broker hangs for most of them")
async def test_a_broker_that_hangs_takes_no_longer_than_its_time(patient: Patient, queue_proxy: Proxy) -> None:
    queue_proxy.freeze()
    began = time.monotonic()
    report = await patient.examined(
        "--timeout",
        "1",
        QUEUE_HOST="127.0.0.1",
        QUEUE_PORT=str(queue_proxy.port),
        QUEUE_MANAGEMENT_PORT=str(queue_proxy.port),
    )
    assert time.monotonic() - began < 9
    assert report.of("connect", "broker")["found"] == "no answer within 1 s"
    assert report.of("queues")["found"].startswith("not asked because")
    assert report.of("migrations")["state"] == "ok"
