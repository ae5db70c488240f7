"""What the pages of images show. Pure."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from gateway.hiding import hide_paths_within
from gateway.pages.images.layers import Drawing, drawing
from gateway.pages.images.tiles import Moment, moment_of
from windmill.operate.inspection.boxes import InspectedBox, Place
from windmill.operate.inspection.reading import Inspection, Neighbours
from windmill.operate.inspection.votes import WORDS, Position, VotePosition
from windmill.operate.show.image_report import Failure

_MARGIN = 0.04
"""Of a patch, around its box."""
_SIGNS: Mapping[Position, str] = {
    "yes": "disc",
    "confirmed": "tick",
    "silent": "ring",
    "could_not_know": "dash",
    "awaited": "dots",
    "failed": "cross",
}
KEYS: Sequence[tuple[str, str]] = (
    ("J", "the next image"),
    ("K", "the image before"),
    ("H", "held: the bare picture"),
    ("+ -", "zoom in, zoom out"),
    ("0", "the whole picture"),
    ("arrows", "move the picture, once it is enlarged"),
    ("B", "what is stored, and the last preview, in turn"),
)
LEGEND = tuple((_SIGNS[position], said) for position, said in WORDS.items())
"""What each symbol says."""


@dataclass(frozen=True)
class PlaceInList:
    """Where somebody goes on to from an image, and which list they came from."""

    neighbours: Neighbours
    group: str = ""
    query: str = ""

    @property
    def kept(self) -> Mapping[str, str]:
        """What of the list goes along in every address."""
        return {name: value for name, value in (("group", self.group), ("query", self.query)) if value}

    def url(self, image_id: int | None, without: Sequence[str] = ()) -> str:
        """The address of an image in the same list; empty for none."""
        asked = [*self.kept.items(), *(("without", one) for one in without)]
        return "" if image_id is None else f"/ui/images/{image_id}{'?' + urlencode(asked) if asked else ''}"


@dataclass(frozen=True)
class Patch:
    """The crop of a merged box, with a margin, in pixels of the picture."""

    box: InspectedBox
    place: Place


@dataclass(frozen=True)
class InspectorView:
    """`inspection` is all that is known. `digest` tells whether the boxes are still those that are drawn, and `changed`
    that they are not."""

    inspection: Inspection
    location: str | None
    drawing: Drawing | None
    patches: tuple[Patch, ...]
    previous_url: str
    next_url: str
    here_url: str
    stored_url: str
    digest: str
    changed: bool
    services: tuple[str, ...]
    query: str
    kept: Mapping[str, str]

    @property
    def signs(self) -> tuple[tuple[str, str], ...]:
        return LEGEND

    @property
    def moment(self) -> Moment | None:
        """Of the video, where the image is a frame of one."""
        return moment_of(self.inspection.group, self.inspection.name)

    @property
    def keys(self) -> Sequence[tuple[str, str]]:
        """What the keyboard does here; the page tells it."""
        return KEYS

    def before_url(self, service: str) -> str:
        """The image as it would be had this service never been asked."""
        return f"/ui/images/{self.inspection.image_id}?{urlencode({**self.kept, 'without': service})}"

    def with_labels(self, *labels: str) -> str:
        """All images that have these labels."""
        query = " ".join(f'label:"{one}"' for one in labels)
        return f"/ui/images?{urlencode({'query': query})}"

    def sign(self, position: VotePosition) -> str:
        """The name of a symbol; empty where a service was not asked."""
        return _SIGNS[position.position] if position.position else ""

    def words_of(self, failure: Failure) -> str:
        """What a worker says of a failure, without folders of the server."""
        return str(hide_paths_within(failure.message))

    @property
    def lede(self) -> str:
        """How far it is, in a sentence."""
        answers = self.inspection.answers
        answered = sum(one.state == "answered" for one in answers)
        failed = sum(one.state == "failed" for one in answers)
        parts = [f"{answered} of {len(answers)} services have answered" if answers else "no service was asked yet"]
        parts += [f"{failed} failed"] if failed else []
        awaited = self.inspection.awaited
        parts += [f"{', '.join(awaited)} {'is' if len(awaited) == 1 else 'are'} awaited"] if awaited else []
        return "; ".join(parts)


def inspector_view(
    inspection: Inspection, location: str | None, place: PlaceInList, services: Sequence[str], seen: str = ""
) -> InspectorView:
    """`seen` is the digest of the boxes that the reader sees, `services` are those that can be asked."""
    shown = drawing(inspection)
    without = inspection.without.services if inspection.without else ()
    digest = hashlib.blake2b(repr((inspection.boxes, inspection.sources)).encode(), digest_size=6).hexdigest()
    return InspectorView(
        inspection=inspection,
        location=location,
        drawing=shown,
        patches=tuple(Patch(box, _patch(box.place, inspection.size)) for box in inspection.boxes[:MOST_PATCHES])
        if shown
        else (),
        previous_url=place.url(place.neighbours.previous, without),
        next_url=place.url(place.neighbours.next, without),
        here_url=place.url(inspection.image_id, without),
        stored_url=place.url(inspection.image_id),
        digest=digest,
        changed=seen not in ("", digest),
        services=tuple(services),
        query=place.query,
        kept=place.kept,
    )


MOST_PATCHES = 24


def _patch(place: Place, size: tuple[int, int] | None) -> Place:
    width, height = size or (0, 0)
    across, down = place.width * _MARGIN, place.height * _MARGIN
    left, top = max(place.x - across, 0), max(place.y - down, 0)
    right, bottom = min(place.x + place.width + across, width), min(place.y + place.height + down, height)
    return Place(round(left, 1), round(top, 1), round(max(right - left, 1), 1), round(max(bottom - top, 1), 1))
