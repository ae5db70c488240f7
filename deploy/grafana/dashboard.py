"""Sections of panels as the JSON that Grafana loads."""

from collections.abc import Iterable, Iterator
from typing import Any

from deploy.grafana.panels import Panel, Section

Json = dict[str, Any]

COLUMNS = 24
STAT_HEIGHT = 4
HEIGHT = 8
SOURCE = {"type": "prometheus", "uid": "${source}"}
SERVICE_NAMES = "[a-z0-9_]+"
"""What `$service` stands for when all are chosen: it names work queues, too, but no failed ones."""


def dashboard(sections: Iterable[Section]) -> Json:
    """All of it; the same sections give the same JSON."""
    return {
        "uid": "windmill",
        "title": "Windmill",
        "tags": ["windmill"],
        "schemaVersion": 39,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "15s",
        "time": {"from": "now-1h", "to": "now"},
        "timezone": "browser",
        "annotations": {"list": []},
        "links": [],
        "templating": {"list": [_source(), _services(), _queue_prefix()]},
        "panels": [{"id": number, **one} for number, one in enumerate(_placed(sections), 1)],
    }


def _source() -> Json:
    return {
        "name": "source",
        "label": "Prometheus",
        "type": "datasource",
        "query": "prometheus",
        "current": {"text": "Prometheus", "value": "prometheus"},
    }


def _services() -> Json:
    query = "label_values(windmill_concurrency, service)"
    return {
        "name": "service",
        "label": "Service",
        "type": "query",
        "datasource": SOURCE,
        "definition": query,
        "query": {"query": query, "refId": "service"},
        "refresh": 2,
        "sort": 1,
        "multi": True,
        "includeAll": True,
        "allValue": SERVICE_NAMES,
        "current": {"text": ["All"], "value": ["$__all"]},
    }


def _queue_prefix() -> Json:
    chosen = {"text": "queue_", "value": "queue_"}
    return {
        "name": "queue_prefix",
        "label": "QUEUE_PREFIX",
        "type": "textbox",
        "query": "queue_",
        "current": chosen,
        "options": [{"selected": True, **chosen}],
    }


def _placed(sections: Iterable[Section]) -> Iterator[Json]:
    """Rows from left to right and from top to bottom."""
    top = 0
    for section in sections:
        yield {
            "type": "row",
            "title": section.title,
            "collapsed": False,
            "gridPos": {"x": 0, "y": top, "w": COLUMNS, "h": 1},
            "panels": [],
        }
        top += 1
        left = 0
        height = STAT_HEIGHT if all(panel.kind == "stat" for panel in section.panels) else HEIGHT
        for panel in section.panels:
            if left + panel.width > COLUMNS:
                left, top = 0, top + height
            yield _panel(panel, {"x": left, "y": top, "w": panel.width, "h": height})
            left += panel.width
        top += height


def _panel(panel: Panel, place: Json) -> Json:
    return {
        "type": panel.kind,
        "title": panel.title,
        "description": panel.tells,
        "datasource": SOURCE,
        "gridPos": place,
        "fieldConfig": {"defaults": _field(panel), "overrides": []},
        "options": _options(panel),
        "targets": [
            _target(panel, chr(ord("A") + number), legend, expression)
            for number, (legend, expression) in enumerate(panel.queries.items())
        ],
        **_without_time(panel),
    }


def _target(panel: Panel, name: str, legend: str, expression: str) -> Json:
    now = {"format": "table", "instant": True} if panel.kind == "table" else {"range": True}
    return {"refId": name, "datasource": SOURCE, "expr": expression, "legendFormat": legend, **now}


def _field(panel: Panel) -> Json:
    found: Json = {"unit": panel.unit, "min": 0, "color": {"mode": "palette-classic"}}
    if panel.kind == "timeseries":
        mode = "normal" if panel.stacked else "none"
        found["custom"] = {"fillOpacity": 20 if panel.stacked else 5, "stacking": {"mode": mode, "group": "A"}}
    if panel.kind == "stat":
        found |= {"color": {"mode": "thresholds"}, "thresholds": _thresholds(panel.bad)}
    if panel.mappings:
        options = {
            str(number): {"text": text, "color": color, "index": place}
            for place, (number, (text, color)) in enumerate(panel.mappings.items())
        }
        found["mappings"] = [{"type": "value", "options": options}]
    return found


def _thresholds(bad: tuple[float, float] | None) -> Json:
    steps: list[Json] = [{"color": "green", "value": None}]
    if bad:
        steps += [{"color": color, "value": number} for color, number in zip(("yellow", "red"), bad, strict=True)]
    return {"mode": "absolute", "steps": steps}


def _options(panel: Panel) -> Json:
    if panel.kind == "stat":
        last = {"calcs": ["lastNotNull"], "fields": "", "values": False}
        return {"reduceOptions": last, "colorMode": "value", "graphMode": "area"}
    if panel.kind == "timeseries":
        legend = {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []}
        return {"legend": legend, "tooltip": {"mode": "multi", "sort": "desc"}}
    return {}


def _without_time(panel: Panel) -> Json:
    if panel.kind != "table":
        return {}
    return {"transformations": [{"id": "organize", "options": {"excludeByName": {"Time": True}}}]}
