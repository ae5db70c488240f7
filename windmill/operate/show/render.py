"""What is known of one image, in words and as JSON. Names and messages come from others, so they are made printable."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from windmill.kernels.text.printable import render_printable
from windmill.kernels.text.redaction import redact_document, redactor
from windmill.operate.show.image_report import BoxAnswer, Failure, ImageFindings, ImageReport, ShownBox, ShownVote

MOST_RUNNERS_UP = 5


def render_report_json(report: ImageReport) -> dict[str, Any]:
    """All of it; passwords and tokens are redacted."""
    document = asdict(report)
    image = {name: value for name, value in document["image"].items() if name != "image_url"}
    image |= {"location": report.image.location, "image_created": report.image.image_created.isoformat()}
    redacted: dict[str, Any] = redact_document(document | {"image": image}, redactor())
    return redacted


def render_findings_json(findings: ImageFindings) -> dict[str, Any]:
    """What was found in an image, as it stands in the whole."""
    redacted: dict[str, Any] = redact_document(asdict(findings), redactor())
    return redacted


def render_report_text(report: ImageReport) -> str:
    """One part for each thing that is known."""
    lines = [_title(report), *_votes(report), *_boxes(report.boxes), *_services(report)]
    redact = redactor()
    return "".join(f"{_indented(redact(line))}\n" for line in lines)


def _indented(line: str) -> str:
    text = line.lstrip(" ")
    return " " * (len(line) - len(text)) + render_printable(text)


def _title(report: ImageReport) -> str:
    image = report.image
    group = f", group {image.image_group}" if image.image_group else ""
    size = f", {image.width} x {image.height}" if image.width and image.height else ""
    copy = f", a copy of image {image.copy_of}, whose answers these are" if image.copy_of else ""
    return f"{image.location} (image {image.image_id}{group}{size}{copy})"


def _votes(report: ImageReport) -> list[str]:
    if report.votes is None:
        return ["no vote yet"]
    said = [f"vote (calibration {report.calibration}):"] if report.votes else ["vote: no emoji is likely enough"]
    said += map(_vote, report.votes)
    if report.runners_up:
        hidden = len(report.runners_up) - MOST_RUNNERS_UP
        said.append("less likely:" + (f" the first of {len(report.runners_up)}" if hidden > 0 else ""))
        said += map(_vote, report.runners_up[:MOST_RUNNERS_UP])
    found = ", ".join(f"{name}{_chance(sure)}" for name, sure in report.special.items())
    return said + ([f"found by specialists: {found}"] if found else [])


def _vote(one: ShownVote) -> str:
    return f"  {one.emoji}{_chance(one.probability)}: {one.sentence}"


def _chance(value: float | None) -> str:
    return "" if value is None else f" {value:.2f}"


def _boxes(boxes: Iterable[ShownBox]) -> list[str]:
    lines = [line for box in boxes for line in _box(box)]
    return ["boxes:", *lines] if lines else ["no boxes"]


def _box(box: ShownBox) -> list[str]:
    at = ""
    if box.place:
        x, y, width, height = box.place
        at = f" at {x:.0f},{y:.0f}, {width:.0f} x {height:.0f}"
    silent = f"; {_names(box.silent)} did not see it" if box.silent else ""
    first = f"  {box.emoji} {box.label}{_chance(box.confidence)}{at}, seen by {_names(box.services)}{silent}"
    return [first, *(f"      {_box_answer(one)}" for one in box.answers)]


def _box_answer(one: BoxAnswer) -> str:
    if one.failure:
        return f"{one.service} failed{'' if one.failure.final else ' and is tried again'}: {_failure(one.failure)}"
    return f"{one.service} says {', '.join(one.said)}" if one.said else f"{one.service} found nothing to name"


def _services(report: ImageReport) -> list[str]:
    answered = [one.service for one in report.answers if not one.failure]
    lines = [f"answered: {_names(answered)}" if answered else "no service has answered"]
    lines += [f"failed: {one.service}: {_failure(one.failure)}" for one in report.answers if one.failure]
    if report.awaited:
        lines.append(f"awaited: {_names(report.awaited)}")
    if report.open_stages:
        lines.append(f"yet to be recomputed: {_names(report.open_stages)}")
    return lines


def _failure(failure: Failure) -> str:
    message = f" {failure.message.rstrip('.')}." if failure.message else ""
    return f"{failure.code}:{message}" + (f" Remedy: {failure.remedy}" if failure.remedy else "")


def _names(names: Sequence[str]) -> str:
    *others, last = names or ["nobody"]
    return f"{', '.join(others)} and {last}" if others else last
