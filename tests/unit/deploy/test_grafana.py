"""deploy/grafana: the dashboard shows every metric, and Grafana finds it."""

import itertools
import json
import re
from typing import Any

import pytest

from deploy.grafana.__main__ import FILE, text
from tests.unit.manifests import DEPLOY, document
from windmill.process.metrics import METRICS

PROVISIONING = DEPLOY / "grafana" / "provisioning"
DASHBOARD = json.loads(FILE.read_text(encoding="utf-8"))
PANELS: list[dict[str, Any]] = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
EXPRESSIONS = [target["expr"] for panel in PANELS for target in panel["targets"]]
ASKED = re.findall(r"(windmill_\w+?)(_bucket|_sum|_count)?\b(?:\{([^}]*)\})?", " ".join(EXPRESSIONS))


def test_the_file_is_what_its_source_makes() -> None:
    assert FILE.read_text(encoding="utf-8") == text(), "run python -m deploy.grafana"


def test_every_metric_is_shown_and_none_that_there_is_not() -> None:
    assert {name for name, _, _ in ASKED} == {metric.name for metric in METRICS}


def test_metrics_are_asked_for_by_labels_and_parts_that_they_have() -> None:
    known = {metric.name: metric for metric in METRICS}
    assert [name for name, part, _ in ASKED if (known[name].kind == "histogram") != bool(part)] == []
    chosen = {(name, label) for name, _, labels in ASKED for label in re.findall(r"(\w+)(?:=~|!=|=)", labels)}
    assert [(name, label) for name, label in sorted(chosen) if label not in known[name].labels] == []


def test_counters_are_shown_as_rates() -> None:
    counters = [metric.name for metric in METRICS if metric.kind == "counter"]
    used = [(name, found) for name in counters for found in re.findall(rf"(\S*){name}", " ".join(EXPRESSIONS))]
    assert [name for name, before in used if not re.search(r"(rate|increase)\($", before)] == []


def area(panel: dict[str, Any]) -> set[tuple[int, int]]:
    place = panel["gridPos"]
    across, down = range(place["x"], place["x"] + place["w"]), range(place["y"], place["y"] + place["h"])
    return set(itertools.product(across, down))


def test_no_panel_hides_another_or_leaves_the_page() -> None:
    places = [area(panel) for panel in DASHBOARD["panels"]]
    assert len(set.union(*places)) == sum(map(len, places))
    assert {x for place in places for x, _ in place} <= set(range(24))


def test_panels_are_told_apart_by_number_and_their_lines_by_letter() -> None:
    numbers = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(numbers)) == len(numbers)
    for panel in PANELS:
        names = [target["refId"] for target in panel["targets"]]
        assert len(set(names)) == len(names)


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_an_expression_uses_only_variables_that_the_dashboard_has(expression: str) -> None:
    declared = {variable["name"] for variable in DASHBOARD["templating"]["list"]}
    assert set(re.findall(r"\$\{?(\w+)", expression)) <= declared | {"__rate_interval"}


def test_grafana_finds_the_dashboard_and_its_prometheus_where_compose_puts_them() -> None:
    (provider,) = document(PROVISIONING / "dashboards" / "windmill.yml")["providers"]
    (source,) = document(PROVISIONING / "datasources" / "prometheus.yml")["datasources"]
    services = document(DEPLOY / "compose.yaml")["services"]
    mounted = dict(volume.split(":")[:2] for volume in services["grafana"]["volumes"])
    assert mounted["./grafana/dashboards"] == provider["options"]["path"]
    assert mounted["./grafana/provisioning"] == "/etc/grafana/provisioning"
    assert source["url"] == "http://prometheus:9090"
    (chosen,) = [one for one in DASHBOARD["templating"]["list"] if one["type"] == "datasource"]
    assert chosen["current"]["value"] == source["uid"]
    scraped = document(DEPLOY / "prometheus" / "prometheus.yml")["global"]["scrape_interval"]
    assert source["jsonData"]["timeInterval"] == scraped
