"""Hits as text for people."""

from collections.abc import Mapping
from typing import Any

from windmill.kernels.text.tables import render_table

_RELATIONS = {"exact": "{:,}", "at_least": "{:,}+", "about": "about {:,}"}


def render_hits(document: Mapping[str, Any], *, explain: bool) -> str:
    """The page, how many there are, and how to go on."""
    rows = [_row(hit) for hit in document["hits"]]
    lines = [render_table(("image", "name", "why"), rows).rstrip("\n")] if rows else []
    lines.append(_summary(document))
    if explain:
        plan = document["explanation"]
        query = document["query"] or "everything"
        lines += [f"query: {query}", f"plan: {plan['plan']}: {plan['reason']}; {plan['milliseconds']} ms"]
    return "\n".join(lines) + "\n"


def _row(hit: Mapping[str, Any]) -> tuple[str, ...]:
    said = [_reason(one) for one in hit["why"]] or [_label(one) for one in hit["labels"][:5]]
    return (str(hit["image_id"]), hit["location"] or hit["name"], ", ".join(said))


def _reason(one: Mapping[str, Any]) -> str:
    return f"{one['field']}:{one['value']}" + (f" {one['probability']:.2f}" if one["probability"] is not None else "")


def _label(one: Mapping[str, Any]) -> str:
    return f"{one['label']} {one['probability']:.2f}"


def _summary(document: Mapping[str, Any]) -> str:
    total, cursor = document["total"], document.get("next_cursor")
    count = _RELATIONS[total["relation"]].format(total["images"]) if total else f"{document['count']:,} more"
    said = f"{count} images"
    if cursor and not document["complete"]:
        return f"{said}; the search stopped early, as hits are rare: go on with --cursor {cursor}"
    return f"{said}; the next page: --cursor {cursor}" if cursor else said
