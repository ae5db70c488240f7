"""The doctor on real servers: a healthy fleet has no problem, and each planted fault is named with its remedy."""

import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.conformance.services.serving import CLOSED_PORT, Client, serving
from tests.integration.fleet import Fleet
from tests.integration.proxy import Proxy
from tests.waiting import until
from windmill import broker
from windmill.broker.management import TOTALS, ask, limit_deliveries, quoted_vhost
from windmill.core.settings import ROOT
from windmill.storage import database
from windmill.storage.queries import queries

pytestmark = [pytest.mark.broker, pytest.mark.database]

SECRET = "wrong-and-secret"
SERVICES = ("clip", "yolov8")


@dataclass(frozen=True)
class Report:
    """What one run of the doctor said."""

    code: int
    findings: list[dict[str, str]]
    text: str

    def of(self, name: str, area: str | None = None) -> dict[str, str]:
        """The worst finding of this name."""
        named = [one for one in self.findings if one["name"] == name and area in (None, one["area"])]
        assert named, f"nothing is called {name}\n{self.text}"
        return max(named, key=lambda one: ("ok", "warning", "problem").index(one["state"]))

    @property
    def problems(self) -> list[str]:
        return [one["name"] for one in self.findings if one["state"] == "problem"]


class Patient:
    """A fleet of two services, declared and answering, that a test may harm."""

    def __init__(self, fleet: Fleet, services: Client) -> None:
        self.fleet = fleet
        self.settings = fleet.settings
        self._config = fleet.folder / "services.json"
        self.listens({service: int(services.farm.url(service).rpartition(":")[2]) for service in SERVICES})
        fleet.environ |= {"SERVICE_CONFIG": str(self._config), "SERVICE_HOST": "127.0.0.1"}

    def listens(self, ports: dict[str, int]) -> None:
        """Let the configuration name these ports."""
        self.ports = ports
        document = json.loads((ROOT / "service_config.json").read_text())
        known = document["services"]
        services = {name: {**known[name], "port": port, "sets": []} for name, port in ports.items()}
        self._config.write_text(json.dumps({**document, "services": services}))

    async def examined(self, *options: str, **variables: str) -> Report:
        end = await self.fleet.run("windmill", "doctor", "--json", *options, **variables)
        assert "Traceback" not in end.err, end.err
        assert SECRET not in end.out + end.err
        return Report(end.code, end.json() if end.out else [], end.out + end.err)

    async def declared(self) -> "Patient":
        ended = await self.fleet.run("windmill", "declare")
        assert ended.code == 0, ended.err
        return self

    def api(self, method: str, path: str, document: Any = None) -> None:  # noqa: ANN401 - any JSON
        where = f"http://{self.settings.queue_host}:{self.settings.queue_management_port}/api/{path}"
        login = (self.settings.queue_user, self.settings.queue_password)
        requests.request(method, where, json=document, auth=login, timeout=10).raise_for_status()

    def queues(self) -> set[str]:
        listed = ask(self.settings, f"queues/{quoted_vhost(self.settings)}?disable_stats=true").document
        return {one["name"] for one in listed if one["name"].startswith(self.settings.queue_prefix)}

    def messages(self, service: str) -> int:
        """As the management API sees them, some seconds later."""
        queue = broker.work_queue(self.settings, service)
        listed = ask(self.settings, f"queues/{quoted_vhost(self.settings)}?{TOTALS}").document
        return next((int(one.get("messages", 0)) for one in listed if one["name"] == queue), 0)

    async def declare_queue(self, name: str, **arguments: Any) -> None:  # noqa: ANN401 - of a queue
        async with broker.connection(self.settings, "test") as opened, opened.channel() as channel:
            await channel.queue_delete(name)
            await channel.declare_queue(name, durable=True, arguments=arguments)


@pytest.fixture
async def undeclared(fleet: Fleet) -> AsyncIterator[Patient]:
    async with serving(*SERVICES) as services:
        yield Patient(fleet, services)


@pytest.fixture
async def patient(undeclared: Patient) -> Patient:
    return await undeclared.declared()


async def test_a_healthy_fleet_has_no_problem(patient: Patient) -> None:
    await patient.fleet.register_pictures(3)
    report = await patient.examined(IMAGE_ROOT=str(patient.fleet.folder))
    assert (report.problems, report.code) == ([], 0), report.text
    assert {one["area"] for one in report.findings} == {
        "settings",
        "broker",
        "topology",
        "database",
        "services",
        "engines",
        "images",
        "video",
        "gateway",
        "machine",
    }
    assert report.of("queues")["found"].startswith("all 12 are as they should be")
    assert report.of("policies")["state"] == "ok"
    assert "stand-in answers" in report.of("yolov8")["found"]
    assert report.of("sample")["found"] == "all 3 that were looked at can be read"


async def test_it_is_shown_to_people_with_a_summary_and_no_colours(patient: Patient) -> None:
    end = await patient.fleet.run("windmill", "doctor", "--services", "clip")
    assert end.code == 0, end.out
    assert end.out.splitlines()[0] == "settings"
    assert "0 problems" in end.out.splitlines()[-1]
    assert "\x1b" not in end.out


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


@pytest.mark.parametrize(
    ("statement", "says", "remedy"),
    [
        ("DELETE FROM schema_migrations WHERE version = 1", "not applied: 0001", "python -m windmill migrate"),
        ("DROP TABLE schema_migrations", "none is applied", "python -m windmill migrate"),
        (
            "UPDATE schema_migrations SET digest = 'x' WHERE version = 1",
            "applied with different text",
            "restore the file",
        ),
    ],
)
async def test_migrations_that_are_missing_or_altered_are_named(
    patient: Patient, statement: str, says: str, remedy: str
) -> None:
    await patient.fleet.rows.execute(statement)
    report = await patient.examined()
    assert report.problems == ["migrations"], report.text
    assert says in report.of("migrations")["found"]
    assert remedy in report.of("migrations")["remedy"]


async def test_services_whose_ports_were_exchanged_are_named(patient: Patient) -> None:
    patient.listens({"clip": patient.ports["yolov8"], "yolov8": patient.ports["clip"]})
    report = await patient.examined()
    assert report.problems == ["clip", "yolov8"]
    assert "yolo answers at" in report.of("clip")["found"]
    assert "ports were exchanged" in report.of("clip")["found"]
    assert "correct the ports in SERVICE_CONFIG" in report.of("clip")["remedy"]


async def test_a_service_that_is_dead_is_named_and_the_other_is_not(patient: Patient) -> None:
    patient.listens({**patient.ports, "clip": CLOSED_PORT})
    report = await patient.examined()
    assert report.problems == ["clip"]
    assert "nothing listens at 127.0.0.1:1" in report.of("clip")["found"]
    assert report.of("clip")["remedy"].startswith("start the service")


async def test_each_service_is_asked_once_and_shown_no_picture(fleet: Fleet) -> None:
    async with serving(*SERVICES) as services:
        await Patient(fleet, services).examined()
        counted = {name: services.farm.handlers[name].counts.render_json() for name in SERVICES}
    assert [counts["requests"] for counts in counted.values()] == [{"GET /analyze": {"400": 1}}] * 2


async def test_health_is_asked_only_on_demand(patient: Patient) -> None:
    assert "clip health" not in {one["name"] for one in (await patient.examined()).findings}
    assert (await patient.examined("--health")).of("clip health")["found"] == "says that it is well"


@pytest.mark.parametrize(
    ("variables", "problem", "unasked"),
    [
        ({"QUEUE_PASSWORD": SECRET}, ("broker", "connect"), ("topology", "queues")),
        ({"DB_PASSWORD": SECRET}, ("database", "connect"), ("images", "sample")),
        ({"DB_NAME": "nosuchdatabase"}, ("database", "connect"), ("images", "sample")),
        ({"QUEUE_PORT": str(CLOSED_PORT), "QUEUE_MANAGEMENT_PORT": "2"}, ("broker", "connect"), ("topology", "queues")),
        ({"DB_PORT": str(CLOSED_PORT)}, ("database", "connect"), ("images", "sample")),
    ],
    ids=lambda value: str(value)[:30],
)
async def test_a_server_that_lets_nobody_in_hides_nothing_of_the_others(
    patient: Patient, variables: dict[str, str], problem: tuple[str, str], unasked: tuple[str, str]
) -> None:
    report = await patient.examined(**variables)
    assert report.code == 1
    assert [(one["area"], one["name"]) for one in report.findings if one["state"] == "problem"] == [problem], (
        report.text
    )
    area, name = problem
    assert report.of(name, area)["remedy"]
    assert report.of(unasked[1], unasked[0])["found"].startswith("not asked because")
    assert report.of("clip")["state"] != "problem"


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


async def test_an_account_that_may_only_read_is_told_what_it_lacks(patient: Patient) -> None:
    name = patient.settings.queue_prefix.strip("_")
    await patient.fleet.rows.execute(f"CREATE ROLE {name} LOGIN PASSWORD 'p'")
    try:
        await patient.fleet.rows.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {name}")
        report = await patient.examined(DB_USER=name, DB_PASSWORD="p")
    finally:
        await patient.fleet.rows.execute(f"DROP OWNED BY {name}; DROP ROLE {name}")
    assert report.problems == ["privileges"]
    assert f"GRANT INSERT, UPDATE, DELETE ON results TO {name}" in report.of("privileges")["remedy"]


async def test_a_wrong_setting_is_a_finding_and_the_rest_is_asked_all_the_same(patient: Patient) -> None:
    report = await patient.examined(QUEUE_TYPE="quorumm")
    assert report.code == 1
    assert report.problems == ["QUEUE_TYPE"]
    assert report.of("QUEUE_TYPE")["found"] == "'quorumm': must be one of quorum, classic"
    assert report.of("broker")["found"] == "not asked because settings are wrong: QUEUE_TYPE"
    assert report.of("migrations")["state"] == "ok"


async def test_an_unknown_service_is_a_mistake_of_the_users(patient: Patient) -> None:
    report = await patient.examined("--services", "yolo")
    assert (report.code, report.findings) == (2, [])
    assert "unknown service or set 'yolo'" in report.text


async def test_images_that_are_gone_are_told_with_an_example(patient: Patient) -> None:
    folder = patient.fleet.folder
    await patient.fleet.register_pictures(2)
    (folder / "pictures" / "1.jpg").unlink()
    report = await patient.examined(IMAGE_ROOT=str(folder))
    assert report.code == 0
    assert report.of("sample")["state"] == "warning"
    assert "1 of 2 cannot be read (IMAGE_NOT_FOUND 1); image 2" in report.of("sample")["found"]
    gone = await patient.examined(IMAGE_ROOT=str(folder / "gone"))
    assert gone.problems == ["IMAGE_ROOT"]


async def test_results_without_an_image_are_told_and_the_remedy_removes_them(patient: Patient) -> None:
    rows = patient.fleet.rows
    await patient.fleet.register(3)
    insert = "INSERT INTO results (image_id, service, data, status) SELECT n, 'clip', '{}', 'success'"
    await rows.execute(f"{insert} FROM generate_series(1, 5) AS n")
    finding = (await patient.examined()).of("orphans")
    assert (finding["state"], finding["found"]) == (
        "warning",
        "2 of 5 images with results that were looked at are not registered",
    )
    await rows.execute(finding["remedy"][finding["remedy"].index("DELETE") :])
    assert await rows.fetchval("SELECT array_agg(image_id ORDER BY image_id) FROM results") == [1, 2, 3]
    assert (await patient.examined()).of("orphans")["state"] == "ok"


async def test_an_idle_transaction_that_keeps_dead_rows_is_told_before_a_working_one(patient: Patient) -> None:
    async with database.connection(patient.settings, "forgotten") as idle, idle.transaction():
        await idle.execute("INSERT INTO images (image_filename, image_path) VALUES ('a', '/a')")
        statement = queries()["long_transactions"]
        await until(lambda: patient.fleet.rows.fetch(statement, 600.0, 0.0))
        [row] = await patient.fleet.rows.fetch(statement, 600.0, 0.0)
        assert (row["application_name"], row["state"]) == ("forgotten", "idle in transaction")
        assert await patient.fleet.rows.fetch(statement, 600.0, 60.0) == []


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


async def test_so_does_a_database(patient: Patient, database_proxy: Proxy) -> None:
    database_proxy.freeze()
    began = time.monotonic()
    report = await patient.examined("--timeout", "1", DB_HOST="127.0.0.1", DB_PORT=str(database_proxy.port))
    assert time.monotonic() - began < 9
    assert report.of("connect", "database")["found"] == "no connection within 1 s"
    assert report.of("queues")["state"] == "ok"


async def test_a_file_of_settings_with_passwords_that_everybody_may_read_is_a_warning(patient: Patient) -> None:
    file = readable(patient.fleet.folder / "readable.env")
    report = await patient.examined(ENV_FILE=str(file))
    assert report.of("passwords")["state"] == "warning"
    assert report.of("passwords")["remedy"] == f"chmod 600 {file}"


def readable(file: Path) -> Path:
    file.write_text("DB_PASSWORD=x\n")
    file.chmod(0o644)
    return file
