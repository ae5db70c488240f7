"""The position of each service on each emoji of an image: named, confirmed, silent, could not know, pending, failed."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from windmill.kernels.votes.ballots import Ballot, ballots, sureness, surest
from windmill.kernels.votes.emojis import PERSON
from windmill.kernels.votes.evidence import Standing
from windmill.kernels.votes.merged_boxes import SeenBox, box_key_of, merged_boxes
from windmill.kernels.votes.specialist_findings import NAMED, SpecialistFinding, ballot_of, find
from windmill.kernels.votes.vote_calibration import VoteCalibration

MAX_EMOJIS = 500
"""The maximum number of emojis per image: those with the most votes."""


@dataclass(frozen=True)
class CropAnswer:
    """The answer of a service to the crop of one merged box."""

    box_key: str
    service: str
    status: str
    data: Mapping[str, Any]


@dataclass(frozen=True)
class ParsedAnswers:
    """The parsed answers for one image."""

    ballots: Mapping[str, Mapping[str, Ballot]]
    findings: Mapping[str, SpecialistFinding]
    crops: Mapping[str, Mapping[str, SpecialistFinding]]
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


def parse_answers(
    answers: Mapping[str, object],
    calibration: VoteCalibration,
    *,
    failed: Mapping[str, str] | None = None,
    awaiting: Collection[str] = (),
    boxes: Sequence[object] = (),
    enrichments: Sequence[CropAnswer] = (),
) -> ParsedAnswers:
    """Parse all answers. A service that answered counts as answered even if it is also listed as failed or awaiting."""
    findings = {service: found for service in answers if (found := _found(service, answers[service], calibration))}
    said = {service: _said(service, answers[service], findings.get(service), calibration) for service in answers}
    by_emoji: dict[str, list[SeenBox]] = {}
    for box in merged_boxes(boxes, calibration.labels):
        by_emoji.setdefault(box.emoji, []).append(box)
    refused = {service: code for service, code in (failed or {}).items() if service not in answers}
    waiting = {service for service in awaiting if service not in answers and service not in refused}
    return ParsedAnswers(said, findings, _crops(enrichments, calibration), by_emoji, refused, waiting)


def standings(parsed: ParsedAnswers, calibration: VoteCalibration) -> tuple[list[Standing], int]:
    """One standing per emoji that a service named or a box shows, and how many were dropped."""
    by_emoji = parsed.named()
    voices = {emoji: len(by_emoji.get(emoji, ())) for emoji in {*by_emoji, *parsed.boxes}}
    emojis = sorted(voices, key=lambda emoji: (-voices[emoji], emoji))
    return [_standing(emoji, parsed, calibration) for emoji in emojis[:MAX_EMOJIS]], max(0, len(emojis) - MAX_EMOJIS)


def _standing(emoji: str, parsed: ParsedAnswers, calibration: VoteCalibration) -> Standing:
    yes = {service: said[emoji] for service, said in sorted(parsed.ballots.items()) if emoji in said}
    found = sorted(_confirmations(parsed, calibration)) if emoji == PERSON else []
    confirming = dict(found)
    quiet = [service for service in sorted(parsed.ballots) if service not in yes and service not in confirming]
    silent = tuple(service for service in quiet if calibration.could_say(service, emoji))
    return Standing(
        emoji,
        yes,
        confirming,
        silent,
        tuple(service for service in quiet if service not in silent),
        tuple(service for service in sorted(parsed.awaiting) if service not in confirming),
        {service: code for service, code in sorted(parsed.failed.items()) if service not in confirming},
        tuple(parsed.boxes.get(emoji, ())),
    )


def _confirmations(parsed: ParsedAnswers, calibration: VoteCalibration) -> Iterator[tuple[str, SpecialistFinding]]:
    """A face or a body confirms a person, whether found in the whole image or in the crop of a person."""
    in_crops = [parsed.crops.get(box.key, {}) for box in parsed.boxes.get(PERSON, ())]
    for service in {*parsed.findings, *(service for crop in in_crops for service in crop)}:
        found = [crop[service] for crop in in_crops if service in crop]
        found += [parsed.findings[service]] if service in parsed.findings else []
        if calibration.of(service).role in ("face", "pose"):
            yield service, SpecialistFinding(surest(finding.confidence for finding in found), len(found))


def _found(service: str, reply: object, calibration: VoteCalibration) -> SpecialistFinding | None:
    role = calibration.of(service).role
    return find(role, reply) if role else None


def _said(
    service: str, reply: object, finding: SpecialistFinding | None, calibration: VoteCalibration
) -> dict[str, Ballot]:
    """The ballots of a service; its finding counts as a ballot even if the reply lacks the emoji."""
    said = ballots(reply, calibration.labels)
    role = calibration.of(service).role
    if finding and role and role in NAMED:
        said[NAMED[role]] = ballot_of(role, finding)
    return said


def _crops(enrichments: Sequence[CropAnswer], calibration: VoteCalibration) -> dict[str, dict[str, SpecialistFinding]]:
    crops: dict[str, dict[str, SpecialistFinding]] = {}
    for enrichment in enrichments:
        role = calibration.of(enrichment.service).role
        if enrichment.status != "success" or role not in ("face", "pose"):
            continue
        if finding := find(role, enrichment.data):
            crop = crops.setdefault(box_key_of(enrichment.box_key), {})
            crop[enrichment.service] = max(finding, crop.get(enrichment.service, finding), key=_sureness)
    return crops


def _sureness(finding: SpecialistFinding) -> tuple[float, int]:
    return sureness(finding.confidence), finding.count
