"""Fitting the calibration to labelled images: one half is fitted on, and the other one judges."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import orjson

from windmill.core.errors import WindmillError
from windmill.core.services import Fleet
from windmill.derive.calibration import Calibration
from windmill.kernels.boxes import box_fitting
from windmill.kernels.boxes.fusion import merge
from windmill.kernels.text.labels import normalise_label
from windmill.kernels.votes import vote_fitting
from windmill.kernels.votes.vote_design import VoteExample as VoteExample
from windmill.operate.annotations import Truth
from windmill.storage.database import Connection
from windmill.storage.queries import queries

FEWEST = 20
"""With fewer images, half of them say nothing about the other half."""
PAGE_IMAGES = 500

E = TypeVar("E")
C = TypeVar("C")
Figures = dict[str, float]


@dataclass(frozen=True)
class Labelled:
    """An image with the replies of its services and what it really shows."""

    replies: Mapping[str, Mapping[str, Any]]
    truth: Truth


@dataclass(frozen=True)
class Report:
    """Figures of one part of the calibration, on images that were not fitted on."""

    part: str
    images: int
    before: Figures
    after: Figures


@dataclass(frozen=True)
class Services:
    """Whose answers count for which part."""

    merging: frozenset[str]
    voting: frozenset[str]


def calibrated(images: Sequence[Labelled], services: Services, start: Calibration) -> tuple[Calibration, list[Report]]:
    """The constants that fit all images, and what constants fitted on half of them are worth on the other half."""
    boxes, box_report = _fitted(
        "boxes", box_examples(images, services), start.boxes, box_fitting.fit, box_fitting.score
    )
    merged = replace(start, boxes=boxes)
    votes, vote_report = _fitted(
        "votes", vote_examples(images, services, merged), start.votes, vote_fitting.fit, vote_fitting.score
    )
    return replace(merged, votes=votes), [box_report, vote_report]


async def labelled(connection: Connection, truths: Mapping[str, Truth], group: str | None) -> list[Labelled]:
    """The images that are both labelled and answered, in the order of their ids."""
    sql = queries()
    rows = await connection.fetch(sql["find_images_by_filename"], list(truths), group)
    names = Counter(row["image_filename"] for row in rows)
    for name, count in names.items():
        if count > 1:
            raise WindmillError("USAGE", f"{count} images are called {name}", "say which are meant: --group")
    found = []
    for start in range(0, len(rows), PAGE_IMAGES):
        page = {row["image_id"]: row["image_filename"] for row in rows[start : start + PAGE_IMAGES]}
        replies: dict[int, dict[str, dict[str, Any]]] = {}
        for row in await connection.fetch(sql["read_replies"], list(page)):
            replies.setdefault(row["image_id"], {})[row["service"]] = _object(row["data"])
        found += [Labelled(replies[one], truths[name]) for one, name in page.items() if one in replies]
    return found


def services_of(fleet: Fleet) -> Services:
    return Services(frozenset(fleet.feeding("merge")), frozenset(fleet.feeding("consensus")))


def _fitted(
    part: str,
    examples: Sequence[E],
    start: C,
    fit: Callable[[Sequence[E], C], C],
    score: Callable[[Sequence[E], C], Figures],
) -> tuple[C, Report]:
    """Every second image judges: images that follow each other in a folder are often alike."""
    fitted_on, judging = examples[::2], examples[1::2]
    report = Report(part, len(judging), score(judging, start), score(judging, fit(fitted_on, start)))
    return fit(examples, start), report


def box_examples(images: Iterable[Labelled], services: Services) -> list[box_fitting.BoxExample]:
    """The images on which any detector said something."""
    return [
        box_fitting.BoxExample(_predictions(one, services), one.truth.boxes, one.truth.labels, one.truth.size)
        for one in images
        if _predictions(one, services)
    ]


def vote_examples(images: Sequence[Labelled], services: Services, calibration: Calibration) -> list[VoteExample]:
    """The images, each with the emojis of its true labels and with its boxes as they would be merged."""
    emojis = emojis_of_labels(images) | dict(calibration.votes.labels)
    return [
        VoteExample(
            answers={service: reply for service, reply in one.replies.items() if service in services.voting},
            truth=frozenset(emojis[label] for label in map(normalise_label, one.truth.labels) if label in emojis),
            boxes=[
                box.as_data() for box in merge(_predictions(one, services), calibration.boxes, one.truth.size).boxes
            ],
        )
        for one in images
    ]


def emojis_of_labels(images: Iterable[Labelled]) -> dict[str, str]:
    """Which emoji services give with a label: the most frequent one."""
    seen: dict[str, dict[str, int]] = {}
    for one in images:
        for reply in one.replies.values():
            for prediction in _list(reply.get("predictions")):
                label, emoji = prediction.get("label"), prediction.get("emoji")
                if isinstance(label, str) and isinstance(emoji, str) and emoji:
                    counts = seen.setdefault(normalise_label(label), {})
                    counts[emoji] = counts.get(emoji, 0) + 1
    return {label: min(counts, key=lambda emoji: (-counts[emoji], emoji)) for label, counts in seen.items()}


def _predictions(image: Labelled, services: Services) -> dict[str, object]:
    return {name: reply.get("predictions") for name, reply in image.replies.items() if name in services.merging}


def _list(value: object) -> list[Mapping[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _object(text: str | None) -> dict[str, Any]:
    document = orjson.loads(text or "{}")
    return document if isinstance(document, dict) else {}
