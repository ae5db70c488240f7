"""deploy/prometheus/alerts.yml: what Prometheus takes, about metrics that there are, with a chapter for each."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.integration.fleet import unavailable
from tests.unit.command_lines import commands, refused
from tests.unit.manifests import DEPLOY, document
from windmill.core.errors import ERROR_CODES
from windmill.core.settings import ROOT
from windmill.process.metric import Metric
from windmill.process.metrics import METRICS

FOLDER = DEPLOY / "prometheus"
ALERTS: list[dict[str, Any]] = [rule for group in document(FOLDER / "alerts.yml")["groups"] for rule in group["rules"]]
NAMES = [one["alert"] for one in ALERTS]
RUNBOOK = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
METRIC: dict[str, Metric] = {one.name: one for one in METRICS}


def promtool(*arguments: str, folder: Path = FOLDER) -> subprocess.CompletedProcess[str]:
    program = shutil.which("promtool")
    if program is None:
        unavailable("no promtool is installed here; on Debian: apt install prometheus")
    return subprocess.run([str(program), *arguments], cwd=folder, capture_output=True, text=True, timeout=60)


def test_prometheus_takes_its_configuration_and_the_rules_that_it_names() -> None:
    checked = promtool("check", "config", "prometheus.yml")
    assert checked.returncode == 0, checked.stderr
    assert f"SUCCESS: {len(ALERTS)} rules found" in checked.stdout


def test_each_alert_is_raised_by_its_fault_and_by_nothing_else() -> None:
    tested = promtool("test", "rules", "alerts_test.yml")
    assert tested.returncode == 0, tested.stdout + tested.stderr


def test_an_alert_that_its_fault_does_not_raise_is_found(tmp_path: Path) -> None:
    for name in ("alerts.yml", "alerts_test.yml"):
        text = (FOLDER / name).read_text(encoding="utf-8")
        (tmp_path / name).write_text(text.replace("(windmill_breaker_state) > 0", "(windmill_breaker_state) > 2"))
    assert promtool("test", "rules", "alerts_test.yml", folder=tmp_path).returncode != 0


@pytest.mark.parametrize("alert", NAMES)
def test_each_alert_is_put_to_the_test(alert: str) -> None:
    assert re.search(rf'alertname(: |="){alert}\b', (FOLDER / "alerts_test.yml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("alert", ALERTS, ids=NAMES)
def test_an_alert_says_how_grave_it_is_and_what_to_run_and_where_to_read_on(alert: dict[str, Any]) -> None:
    notes = alert["annotations"]
    assert alert["labels"]["severity"] in {"critical", "warning"}
    assert notes["summary"]
    assert re.search(r"Run: (python -m|make|journalctl|systemctl) ", notes["description"])
    assert notes["runbook"] == f"docs/runbook.md#{alert['alert'].lower()}"


def test_the_commands_that_alerts_name_are_ones_that_their_programs_take() -> None:
    text = "\n".join(alert["annotations"]["description"] for alert in ALERTS)
    filled = text.replace("{{ $labels.service }}", "yolov8").replace("{{ $labels.code }}", "SERVICE_ERROR")
    assert "{{" not in filled
    lines = commands(filled)
    assert len(lines) >= 5
    assert refused(sorted(lines)) == {}


@pytest.mark.parametrize("alert", ALERTS, ids=NAMES)
def test_an_alert_asks_for_metrics_that_there_are_by_labels_that_they_have(alert: dict[str, Any]) -> None:
    asked = re.findall(r"(windmill_\w+?)(?:_bucket|_sum|_count)?\b(?:\{([^}]*)\})?", alert["expr"])
    assert [name for name, _ in asked if name not in METRIC] == []
    wrong = [
        (name, label)
        for name, labels in asked
        for label in re.findall(r"(\w+)(?:=~|!=|!~|=)", labels)
        if label not in METRIC[name].labels
    ]
    assert wrong == []


@pytest.mark.parametrize("name", [*NAMES, *ERROR_CODES])
def test_every_alert_and_every_error_code_has_a_chapter_with_a_command(name: str) -> None:
    chapter = re.search(rf"^### {name}\n(.*?)(?=^##|\Z)", RUNBOOK, re.MULTILINE | re.DOTALL)
    assert chapter
    elsewhere = re.search(r"See \[\w+\]\(#\w+\)", chapter[1])
    assert elsewhere or re.search(r"^    \w", chapter[1], re.MULTILINE)


def test_no_chapter_is_about_an_alert_or_code_that_is_gone() -> None:
    assert set(re.findall(r"^### (\w+)", RUNBOOK, re.MULTILINE)) - {*NAMES, *ERROR_CODES} == set()
