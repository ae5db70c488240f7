"""The example cluster: one file of settings for each of its machines."""

import re
from collections import Counter
from pathlib import Path

import pytest
from dotenv import dotenv_values

from windmill.core.services import load_fleet
from windmill.core.settings import ROOT, Settings, defaults, misspelt
from windmill.core.stages import STAGES

NODES = sorted((ROOT / "deploy" / "cluster").glob("*.env"))
OF_THE_INSTALLER = {"NODE_POSTPROCESSORS"}
STOP_SECONDS = 360


def read(node: Path) -> dict[str, str]:
    return {name: value or "" for name, value in dotenv_values(node, interpolate=False).items()}


def postprocessors(node: Path) -> list[str]:
    return [one for one in read(node).get("NODE_POSTPROCESSORS", "").split(",") if one]


@pytest.mark.parametrize("node", NODES, ids=lambda node: node.stem)
def test_every_variable_of_a_node_is_known_and_its_value_allowed(node: Path) -> None:
    found = read(node)
    assert found.keys() - OF_THE_INSTALLER <= defaults().keys()
    assert misspelt(found) == []
    Settings.from_env(found)


@pytest.mark.parametrize("node", NODES, ids=lambda node: node.stem)
def test_no_node_comes_with_a_password(node: Path) -> None:
    found = read(node)
    assert (found["QUEUE_PASSWORD"], found["DB_PASSWORD"]) == ("", "")


@pytest.mark.parametrize("node", NODES, ids=lambda node: node.stem)
def test_systemd_and_python_read_the_same_out_of_a_node(node: Path) -> None:
    """systemd takes what stands behind the = as it is, a comment included."""
    lines = [line for line in node.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    assert dict(line.split("=", 1) for line in lines) == read(node)


def test_the_cluster_serves_every_service_once() -> None:
    fleet = load_fleet(ROOT / "service_config.json")
    names = [Settings.from_env(read(node)).service_name for node in NODES]
    served = [service.name for named in names if named for service in fleet.select(named)]
    assert Counter(served) == Counter(list(fleet.services))


def test_the_cluster_runs_every_post_processor_once() -> None:
    assert Counter(one for node in NODES for one in postprocessors(node)) == Counter(
        spec.program for spec in STAGES.values()
    )


def test_all_nodes_mean_the_same_servers() -> None:
    queues = {node.stem: read(node)["QUEUE_HOST"] for node in NODES}
    databases = {node.stem: read(node)["DB_HOST"] for node in NODES}
    assert queues == dict.fromkeys(queues, "k2") | {"k2": "localhost"}
    assert databases == dict.fromkeys(databases, "k1") | {"k1": "localhost"}


@pytest.mark.parametrize("node", NODES, ids=lambda node: node.stem)
def test_a_worker_may_finish_the_slowest_call_before_systemd_ends_it(node: Path) -> None:
    settings = Settings.from_env(read(node))
    slowest = [
        service.timeout_seconds
        for service in load_fleet(ROOT / "service_config.json").services.values()
        if service.name in settings.service_name
    ]
    assert max(slowest, default=0) <= settings.shutdown_grace_seconds < STOP_SECONDS
    for unit in (ROOT / "deploy" / "systemd").glob("*@.service"):
        assert re.findall(r"^TimeoutStopSec=(.*)$", unit.read_text(encoding="utf-8"), re.MULTILINE) == ["6min"]
