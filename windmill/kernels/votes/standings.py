"""Everything known of one image, sorted by emoji: who named it, who found it, who kept silent, who could not know."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from windmill.kernels.votes.ballots import Ballot, ballots, sureness, surest
from windmill.kernels.votes.emojis import PERSON
from windmill.kernels.votes.evidence import Standing
from windmill.kernels.votes.findings import NAMED, Finding, ballot_of, find
from windmill.kernels.votes.merged_boxes import SeenBox, box_key_of, merged_boxes
from windmill.kernels.votes.vote_calibration import VoteCalibration

MOST_EMOJIS = 500
"""Emojis of one image that are voted on: those with the most voices."""


@dataclass(frozen=True)
class Enrichment:
    """What a service said of the crop of one merged box."""

    box_key: str
    service: str
    status: str
    data: Mapping[str, Any]


@dataclass(frozen=True)
class Hall:
    """The answers to one image, read once."""

    ballots: Mapping[str, Mapping[str, Ballot]]
    findings: Mapping[str, Finding]
    crops: Mapping[str, Mapping[str, Finding]]
    """By box and service: what was found in the crop of the box."""
    boxes: Mapping[str, Sequence[SeenBox]]
    failed: Mapping[str, str] = field(default_factory=dict)
    awaiting: Collection[str] = ()

    def named(self) -> dict[str, list[Ballot]]:
        """The ballots for each emoji."""
        by_emoji: dict[str, list[Ballot]] = {}
        for said in self.ballots.values():
            for emoji, ballot in said.items():
                by_emoji.setdefault(emoji, []).append(ballot)
        return by_emoji

    def confirmed_by(self, box: SeenBox) -> list[str]:
        """The services that found a face or a body in the crop of this box."""
        return sorted(self.crops.get(box.key, {})) if box.emoji == PERSON else []


def hall(
    answers: Mapping[str, object],
    calibration: VoteCalibration,
    *,
    failed: Mapping[str, str] | None = None,
    awaiting: Collection[str] = (),
    boxes: Sequence[object] = (),
    enrichments: Sequence[Enrichment] = (),
) -> Hall:
    """Reads all that came in. A service that has answered counts as that, whatever else is said of it."""
    findings = {service: found for service in answers if (found := _found(service, answers[service], calibration))}
    said = {service: _said(service, answers[service], findings.get(service), calibration) for service in answers}
    by_emoji: dict[str, list[SeenBox]] = {}
    for box in merged_boxes(boxes, calibration.labels):
        by_emoji.setdefault(box.emoji, []).append(box)
    refused = {service: code for service, code in (failed or {}).items() if service not in answers}
    waiting = {service for service in awaiting if service not in answers and service not in refused}
    return Hall(said, findings, _crops(enrichments, calibration), by_emoji, refused, waiting)


def standings(heard: Hall, calibration: VoteCalibration) -> tuple[list[Standing], int]:
    """One for each emoji that somebody named or found in a box, and how many more there would have been."""
    by_emoji = heard.named()
    voices = {emoji: len(by_emoji.get(emoji, ())) for emoji in {*by_emoji, *heard.boxes}}
    emojis = sorted(voices, key=lambda emoji: (-voices[emoji], emoji))
    return [_standing(emoji, heard, calibration) for emoji in emojis[:MOST_EMOJIS]], max(0, len(emojis) - MOST_EMOJIS)


def _standing(emoji: str, heard: Hall, calibration: VoteCalibration) -> Standing:
    yes = {service: said[emoji] for service, said in sorted(heard.ballots.items()) if emoji in said}
    found = sorted(_confirmations(heard, calibration)) if emoji == PERSON else []
    confirming = dict(found)
    quiet = [service for service in sorted(heard.ballots) if service not in yes and service not in confirming]
    silent = tuple(service for service in quiet if calibration.could_say(service, emoji))
    return Standing(
        emoji,
        yes,
        confirming,
        silent,
        tuple(service for service in quiet if service not in silent),
        tuple(service for service in sorted(heard.awaiting) if service not in confirming),
        {service: code for service, code in sorted(heard.failed.items()) if service not in confirming},
        tuple(heard.boxes.get(emoji, ())),
    )


def _confirmations(heard: Hall, calibration: VoteCalibration) -> Iterator[tuple[str, Finding]]:
    """A face or a body speaks for a person, wherever it was found: in the whole image, or in the crop of a person."""
    in_crops = [heard.crops.get(box.key, {}) for box in heard.boxes.get(PERSON, ())]
    for service in {*heard.findings, *(service for crop in in_crops for service in crop)}:
        found = [crop[service] for crop in in_crops if service in crop]
        found += [heard.findings[service]] if service in heard.findings else []
        if calibration.of(service).role in ("face", "pose"):
            yield service, Finding(surest(finding.confidence for finding in found), len(found))


def _found(service: str, reply: object, calibration: VoteCalibration) -> Finding | None:
    role = calibration.of(service).role
    return find(role, reply) if role else None


def _said(service: str, reply: object, finding: Finding | None, calibration: VoteCalibration) -> dict[str, Ballot]:
    """What a service named; what it found is a ballot for the emoji of that, also where it forgot to write it."""
    said = ballots(reply, calibration.labels)
    role = calibration.of(service).role
    if finding and role and role in NAMED:
        said[NAMED[role]] = ballot_of(role, finding)
    return said


def _crops(enrichments: Sequence[Enrichment], calibration: VoteCalibration) -> dict[str, dict[str, Finding]]:
    crops: dict[str, dict[str, Finding]] = {}
    for enrichment in enrichments:
        role = calibration.of(enrichment.service).role
        if enrichment.status != "success" or role not in ("face", "pose"):
            continue
        if finding := find(role, enrichment.data):
            crop = crops.setdefault(box_key_of(enrichment.box_key), {})
            crop[enrichment.service] = max(finding, crop.get(enrichment.service, finding), key=_sureness)
    return crops


def _sureness(finding: Finding) -> tuple[float, int]:
    return sureness(finding.confidence), finding.count
