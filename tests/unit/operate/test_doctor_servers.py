"""What the doctor makes of what broker and database say of themselves."""

from typing import Any

import pytest

from tests.unit.operate.examined import NOW, SETTINGS, server
from windmill.operate.doctor import hosts, versions
from windmill.operate.doctor.broker import judge as judge_broker
from windmill.operate.doctor.database import judge as judge_database
from windmill.operate.doctor.database.judge_snapshots import judge_held_snapshots, judge_long_transactions


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
