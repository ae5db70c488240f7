"""What the doctor makes of what servers, services and this machine say of themselves."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from windmill.core.errors import WindmillError
from windmill.core.messages import Job
from windmill.core.services import load_fleet
from windmill.core.settings import Settings
from windmill.operate.doctor import disk_space, hosts, images, machine, versions
from windmill.operate.doctor.broker import judge as judge_broker
from windmill.operate.doctor.database import judge as judge_database
from windmill.operate.doctor.database.judge_snapshots import judge_held_snapshots, judge_long_transactions
from windmill.operate.doctor.database.judge_stages import judge_stages
from windmill.operate.doctor.services import judge as judge_services
from windmill.operate.doctor.services.judge import ProbeReply
from windmill.operate.render import render_bytes

SETTINGS = Settings.from_env({})
YOLO = load_fleet(SETTINGS.service_config).services["yolov8"]
URL = "http://localhost:7773/analyze"
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("version", "state"),
    [("3.9.29", "problem"), ("3.10.8", "ok"), ("4.3.0", "ok"), ("5.0.0", "warning"), ("unknown", "problem")],
)
def test_a_broker_is_judged_by_its_version(version: str, state: str) -> None:
    assert versions.judge_version("broker", "RabbitMQ", version, (3, 10), 4).state == state


@pytest.mark.parametrize(
    ("version", "state"),
    [("14.9", "problem"), ("15.18", "ok"), ("18beta1", "ok"), ("18.4", "ok"), ("19devel", "warning")],
)
def test_a_database_is_judged_by_its_version(version: str, state: str) -> None:
    found = versions.judge_version(
        "database", "PostgreSQL", version, judge_database.OLDEST, judge_database.NEWEST_MAJOR
    )
    assert found.state == state


@pytest.mark.parametrize(
    ("host", "tls", "state"),
    [
        ("localhost", False, "ok"),
        ("127.0.0.9", False, "ok"),
        ("::1", False, "ok"),
        ("/var/run/postgresql", False, "ok"),
        ("192.168.1.5", False, "warning"),
        ("db.example", False, "warning"),
        ("db.example", True, "ok"),
    ],
)
def test_only_what_leaves_the_machine_has_to_be_encrypted(host: str, tls: bool, state: str) -> None:
    assert hosts.judge_encryption("broker", host, "encrypt", tls=tls).state == state


@pytest.mark.parametrize(
    ("seconds", "exact", "state"),
    [(1.9, 0, "ok"), (-2.1, 0, "warning"), (2.1, 0.5, "ok"), (59.0, 0, "warning"), (-61.0, 0, "problem")],
)
def test_clocks_may_differ_by_two_seconds_and_not_by_a_minute(seconds: float, exact: float, state: str) -> None:
    assert hosts.judge_clock("database", seconds, exact).state == state


def test_the_brokers_clock_is_read_from_its_reply() -> None:
    [behind] = judge_broker.skew("Fri, 02 Jan 2026 03:03:35 GMT", NOW)
    assert (behind.state, behind.found) == ("warning", "30.0 s behind this machine's")
    assert judge_broker.skew("", NOW) == []


@pytest.mark.parametrize(
    ("tags", "state"),
    [(["administrator"], "ok"), ("management,policymaker", "ok"), (["management"], "warning"), ([], "warning")],
)
def test_only_some_accounts_may_set_policies(tags: object, state: str) -> None:
    assert judge_broker.management({"name": "windmill", "tags": tags}).state == state


def test_an_alarm_is_named_with_its_node() -> None:
    check = {"status": "failed", "reason": "in effect", "alarms": [{"node": "rabbit@a", "resource": "disk"}]}
    [finding] = judge_broker.alarms(check)
    assert finding.state == "problem"
    assert "disk on rabbit@a" in finding.found
    assert judge_broker.alarms({"status": "ok"})[0].state == "ok"


def node(**changes: object) -> dict[str, Any]:
    roomy = {"disk_free": 2**33, "disk_free_limit": 2**26, "mem_used": 2**27, "mem_limit": 2**32}
    return {"name": "rabbit@a", "running": True, "partitions": [], **roomy, **changes}


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        ({}, "ok"),
        ({"disk_free": 2**26 + 1}, "warning"),
        ({"mem_used": 2**32 - 1}, "warning"),
        ({"partitions": ["rabbit@b"]}, "problem"),
        ({"running": False}, "problem"),
    ],
)
def test_a_node_is_judged_by_its_room_and_its_neighbours(changes: dict[str, Any], state: str) -> None:
    [finding] = judge_broker.nodes([node(**changes)])
    assert (finding.state, finding.name) == (state, "node rabbit@a")


def test_a_node_that_collects_no_statistics_is_told_to_run_and_no_more() -> None:
    [finding] = judge_broker.nodes([{"name": "rabbit@a", "running": True}])
    assert (finding.state, finding.found) == ("ok", "runs; it does not report its disk and memory")


def test_dropped_messages_are_counted() -> None:
    assert judge_broker.unroutable({"message_stats": {"drop_unroutable": 1234}})[0].found.startswith("1,234 messages")
    assert judge_broker.unroutable({})[0].state == "ok"


def test_parameters_that_hurt_are_told_with_the_statement_that_mends_them() -> None:
    told = {"default_toast_compression": "pglz", "autovacuum": "off", "fsync": "on"}
    offered = {"default_toast_compression": frozenset({"pglz", "lz4"})}
    found = {one.name: one for one in judge_database.parameters(SETTINGS, told, offered)}
    assert found.keys() == {"default_toast_compression", "autovacuum"}
    assert found["autovacuum"].remedy.startswith("ALTER SYSTEM SET autovacuum = on")
    assert "SET default_toast_compression = lz4" in found["default_toast_compression"].remedy


def test_a_better_value_is_not_advised_where_the_server_has_none() -> None:
    offered = {"default_toast_compression": frozenset({"pglz"})}
    [finding] = judge_database.parameters(SETTINGS, {"default_toast_compression": "pglz"}, offered)
    assert finding.state == "ok"


def server(**changes: object) -> dict[str, Any]:
    well = {"version": "16.2", "tls": False, "encoding": "UTF8", "standby": False, "bytes": 7, "tablespace": "t"}
    return {**well, **changes}


@pytest.mark.parametrize(
    ("changes", "name"),
    [({"encoding": "LATIN1"}, "encoding"), ({"standby": True}, "standby"), ({"version": "14.1"}, "version")],
)
def test_what_is_wrong_with_a_server_is_a_problem(changes: dict[str, Any], name: str) -> None:
    found = judge_database.server(SETTINGS, server(**changes), skew=0, exact=0)
    assert [one.name for one in found if one.state == "problem"] == [name]
    assert {one.state for one in judge_database.server(SETTINGS, server(), 0, 0)} == {"ok"}


def test_privileges_that_are_lacking_come_with_their_grants() -> None:
    [finding] = judge_database.privileges(
        SETTINGS, [("results", "UPDATE"), ("results", "DELETE"), ("result_ids", "USAGE")]
    )
    assert finding.state == "problem"
    assert (
        "GRANT UPDATE, DELETE ON results TO windmill; GRANT USAGE ON SEQUENCE result_ids TO windmill" in finding.remedy
    )


@pytest.mark.parametrize(("used", "state"), [(80, "ok"), (81, "warning")])
def test_connections_are_told_before_there_are_none(used: int, state: str) -> None:
    assert judge_database.connections(used, 100).state == state


def test_a_long_transaction_is_named_with_the_way_to_end_it() -> None:
    row = {"pid": 41, "usename": "u", "application_name": "pg_dump", "state": "active", "seconds": 700.4}
    [finding] = judge_long_transactions([row])
    assert (finding.state, finding.found) == ("warning", "pg_dump is in one for 700 s (active)")
    assert "pg_terminate_backend(41)" in finding.remedy


@pytest.mark.parametrize(
    ("kind", "name", "remedy"),
    [
        ("replication slot", "old", "pg_drop_replication_slot('old')"),
        ("prepared transaction", "it's", "ROLLBACK PREPARED 'it''s'"),
        ("standby", "walreceiver", "hot_standby_feedback"),
    ],
)
def test_what_holds_a_snapshot_is_named_with_the_way_to_end_it(kind: str, name: str, remedy: str) -> None:
    [finding] = judge_held_snapshots([{"kind": kind, "name": name, "transactions": 250_000}])
    assert finding.state == "warning"
    assert finding.found.startswith(f"{kind} {name} keeps the dead rows of 250,000 transactions")
    assert remedy in finding.remedy
    assert judge_held_snapshots([])[0].state == "ok"


def reply(service: object, status: int = 400, server: str = "Werkzeug", extra: str = "") -> ProbeReply:
    named = f'"service": "{service}", ' if service else ""
    return ProbeReply(status, server, f'{{{named}"status": "error"{extra}}}'.encode())


@pytest.mark.parametrize(
    ("heard", "state", "says"),
    [
        (reply("yolov8"), "ok", "answers as yolov8"),
        (reply("yolo"), "ok", "answers as yolo"),
        (reply("clip"), "problem", "clip answers at http://localhost:7773/analyze: ports were exchanged"),
        (reply("blip2", 200), "problem", "ports were exchanged"),
        (reply("strange"), "warning", "answers as 'strange'"),
        (reply(None), "warning", "without saying its name"),
        (reply("yolo", 200), "problem", "answered 200"),
        (reply("yolo", 500), "problem", "answered 500"),
        (reply("yolo", 503), "warning", "too much to do"),
        (ProbeReply(404, "nginx", b"<html>"), "problem", "answered 404"),
        (ProbeReply(400, "nginx", b"<html>"), "problem", "no service of the fleet"),
        (ProbeReply(400, "", b"\xff\xfe"), "problem", "no service of the fleet"),
        (ProbeReply(400, "", b"[" * 60_000), "problem", "no service of the fleet"),
    ],
)
def test_a_service_is_known_by_its_refusal(heard: ProbeReply, state: str, says: str) -> None:
    [finding] = judge_services.judge_reply(YOLO, URL, heard)
    assert (finding.name, finding.state) == ("yolov8", state)
    assert says in finding.found


@pytest.mark.parametrize(
    "heard",
    [
        reply("yolo", server="windmill-farm"),
        reply("yolo", extra=', "metadata": {"model_info": {"framework": "windmill-farm"}}'),
    ],
)
def test_a_stand_in_is_noticed(heard: ProbeReply) -> None:
    known, stand_in = judge_services.judge_reply(YOLO, URL, heard)
    assert (known.state, stand_in.state) == ("ok", "warning")
    assert "a stand-in answers" in stand_in.found


def test_a_port_where_nothing_listens_is_told_from_one_that_hangs() -> None:
    assert "nothing listens" in judge_services.judge_silence(YOLO, "h:1", ConnectionRefusedError()).found
    assert "no answer at h:1" in judge_services.judge_silence(YOLO, "h:1", TimeoutError("timed out")).found


def test_image_root_must_be_a_folder_with_something_in_it(tmp_path: Path) -> None:
    assert images.root(tmp_path / "gone").state == "problem"
    assert "is the share mounted" in images.root(tmp_path).found
    (tmp_path / "1.jpg").touch()
    assert images.root(tmp_path).state == "ok"
    assert "looks deleted" not in images.root(tmp_path).found
    assert "look deleted" in images.root(Path("/")).found


def test_a_sample_is_a_problem_only_when_nothing_of_it_can_be_read() -> None:
    job = Job(7, "7.jpg", "/7.jpg", None, NOW)
    failure = (job, WindmillError("IMAGE_NOT_FOUND", "there is no file /7.jpg"))
    assert [images.sample(looked, [failure] * bad).state for looked, bad in [(0, 0), (2, 0), (2, 1), (2, 2)]] == [
        "ok",
        "ok",
        "warning",
        "problem",
    ]
    assert "IMAGE_NOT_FOUND 1); image 7: there is no file /7.jpg" in images.sample(2, [failure]).found


@pytest.mark.parametrize(("free", "state"), [(2**26, "problem"), (2**30, "warning"), (2**33, "ok")])
def test_a_disk_is_judged_by_what_is_free(free: int, state: str) -> None:
    assert disk_space.judge_free_space("machine", "disk", free, "/var").state == state


@pytest.mark.parametrize(("count", "text"), [(0, "0 B"), (1536, "1.5 KiB"), (2**30, "1.0 GiB"), (2**41, "2.0 TiB")])
def test_bytes_are_shown_in_their_largest_unit(count: int, text: str) -> None:
    assert render_bytes(count) == text


def test_the_machine_is_judged_by_its_python_files_memory_and_clock() -> None:
    assert [machine.python(version).state for version in [(3, 10), (3, 11), (4, 0)]] == ["problem", "ok", "ok"]
    assert [machine.open_files(soft).state for soft in [256, 1024, -1]] == ["warning", "ok", "ok"]
    assert [one.state for one in machine.available_memory("MemAvailable:  1000 kB\n")] == ["warning"]
    assert [[one.state for one in machine.clock(told)] for told in ["yes", "no", ""]] == [["ok"], ["warning"], []]


def stage(name: str, *services: str, marks: int = 0, overdue: float | None = None) -> dict[str, object]:
    return {"stage": name, "services": list(services), "marks": marks, "overdue_seconds": overdue}


DETECTORS = ("detectron2", "rtdetr", "yolov8")


@pytest.mark.parametrize(
    ("rows", "state", "said"),
    [
        ([], "ok", "nobody runs any"),
        ([stage("merge", *DETECTORS, marks=7, overdue=599.0)], "ok", "merge: nothing waits for long"),
        ([stage("merge", *DETECTORS, marks=7, overdue=660.0)], "warning", "7 open marks of the stage merge"),
        ([stage("merge", "rtdetr", "yolov8")], "warning", "disagree on what feeds the stage merge: detectron2"),
        ([stage("merge", *DETECTORS, "depth")], "warning", "disagree on what feeds the stage merge: depth"),
    ],
)
def test_post_processing_is_judged_by_its_services_and_by_how_late_it_is(
    rows: list[dict[str, object]], state: str, said: str
) -> None:
    (found,) = judge_stages(rows, load_fleet(SETTINGS.service_config))
    assert (found.state, said in found.found) == (state, True), found


@pytest.mark.parametrize(("found", "level"), [([{"label": "face"}], "ok"), ([], "problem")])
def test_a_service_has_to_find_what_its_canary_shows(found: list[object], level: str) -> None:
    face = load_fleet(SETTINGS.service_config).services["face"]
    finding = judge_services.judge_canary(face, "face", found)
    assert (finding.state, finding.name) == (level, "face canary")


def test_a_service_whose_slots_are_taken_is_not_asked() -> None:
    assert "no slot" in judge_services.judge_no_slot(YOLO).found
