"""What the list of images shows. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from gateway.pages.badges import Badge, badge
from gateway.pages.words import probability
from windmill.kernels.query.matching import Reason
from windmill.operate.inspection.gallery import MOST_COMPARED, GalleryImage
from windmill.operate.search.facets import Facets, narrowing
from windmill.operate.search.frames import frame_of
from windmill.operate.search.saved import SavedSearch
from windmill.operate.search.similar import LABELS, MOST_DISTANCE
from windmill.pipelines.export.form import ExportFormat

EXAMPLES: Sequence[tuple[str, str]] = (
    ("label:dog -person", "a dog, and nobody with it"),
    ('text:"stop sign"', "words in a picture or its caption"),
    ("label:dog@0.8", "a dog that is at least so likely"),
    ("faces:2 OR persons:>=3", "so many faces, or people"),
    ("colour:red taken:2024-05..2024-07", "by colour and time"),
    ("camera:canon nsfw:no size:>=1000x800", "by camera, and by size"),
)
MOST_REASONS, MOST_VALUES = 4, 12
FORMATS: Sequence[tuple[ExportFormat, str]] = (
    ("coco", "COCO"),
    ("labelstudio", "Label Studio"),
    ("webdataset", "WebDataset"),
    ("parquet", "Parquet"),
    ("csv", "CSV"),
    ("jsonl", "JSON Lines"),
)
"""As their programs call them, those of boxes first."""


@dataclass(frozen=True)
class Asked:
    """What is in the address of the list."""

    query: str = ""
    group: str = ""
    sort: str = "newest"
    similar: int = 0
    by: str = ""

    def url(self, **more: str) -> str:
        similar = str(self.similar) if self.similar else ""
        sort = "" if self.sort == "newest" else self.sort
        given = {"query": self.query, "group": self.group, "similar": similar, "by": self.by, "sort": sort, **more}
        asked = urlencode({name: value for name, value in given.items() if value})
        return f"/ui/images?{asked}" if asked else "/ui/images"


@dataclass(frozen=True)
class Total:
    """How many images are found; `relation` is exact, at_least or about."""

    images: int
    relation: str

    @property
    def words(self) -> str:
        number = f"{self.images:,}"
        said = {"at_least": f"{number}+", "about": f"about {number}"}.get(self.relation, number)
        return f"{said} {'image' if said == '1' else 'images'}"


@dataclass(frozen=True)
class FacetLine:
    """A value, how many have it, and where it leads: to those that have it, and to those that have not."""

    value: str
    images: int
    url: str
    not_url: str


@dataclass(frozen=True)
class FacetView:
    """The values of one field; counted among `sampled` of the newest, or among all where that is 0."""

    field: str
    lines: tuple[FacetLine, ...]
    sampled: int


@dataclass(frozen=True)
class Moment:
    """Where a frame is shown: the page of its video, at its second."""

    seconds: float
    url: str


def moment_of(group: str | None, name: str) -> Moment | None:
    """None for an image that is no frame of a video."""
    found = frame_of(group, name)
    if found is None or found.seconds is None:
        return None
    return Moment(found.seconds, f"/ui/jobs/{found.job_id}/watch?at={found.seconds:.2f}")


@dataclass(frozen=True)
class Tile:
    """One image, how far services are with it, and why it was found."""

    image: GalleryImage
    url: str
    state: Badge
    doubt: float | None
    why: tuple[str, ...]
    moment: Moment | None = None


@dataclass(frozen=True)
class GalleryView:
    """A page of tiles. Where it is not `complete`, so many rows were looked at that it was enough for now."""

    tiles: tuple[Tile, ...]
    asked: Asked
    total: Total | None
    complete: bool
    mistake: str
    next_url: str
    first_url: str
    json_url: str
    facets: tuple[FacetView, ...] = ()
    saved: Sequence[SavedSearch] = ()
    ways: Sequence[str] = ()
    """What the image can be compared by; `by` is what it was."""
    by: str = ""
    examples: Sequence[tuple[str, str]] = EXAMPLES
    formats: Sequence[tuple[ExportFormat, str]] = FORMATS
    most_distance: int = MOST_DISTANCE

    @property
    def lede(self) -> str:
        """What these are, in a sentence."""
        if self.mistake:
            return "The query cannot be read."
        if self.asked.similar:
            newest = "" if self.complete else ", of the newest"
            alike = "show the same things as" if self.by == LABELS else "look like"
            return f"Images that {alike} image {self.asked.similar:,}, the most similar first{newest}"
        what = self.total.words if self.total else "Images"
        order = "the newest first"
        if self.asked.sort == "doubt":
            order = f"of the {MOST_COMPARED} newest those first on which services disagree most"
        return f"{what}, {order}"


def gallery_view(
    images: Sequence[GalleryImage],
    asked: Asked,
    cursor: str | None,
    *,
    first: bool,
    why: Mapping[int, Sequence[Reason]],
    total: Total | None = None,
    complete: bool = True,
    mistake: str = "",
    facets: tuple[FacetView, ...] = (),
    saved: Sequence[SavedSearch] = (),
    ways: Sequence[str] = (),
    by: str = "",
) -> GalleryView:
    return GalleryView(
        tiles=tuple(_tile(one, asked, why.get(one.image_id, ())) for one in images),
        asked=asked,
        total=total,
        complete=complete,
        mistake=mistake,
        next_url=asked.url(cursor=cursor) if cursor else "",
        first_url="" if first else asked.url(),
        json_url=_json_url(asked),
        facets=facets,
        saved=saved,
        ways=ways,
        by=by,
    )


def _json_url(asked: Asked) -> str:
    if asked.similar:
        return f"/search/similar/{asked.similar}" + (f"?{urlencode({'by': asked.by})}" if asked.by else "")
    return f"/search?{urlencode({'query': asked.query})}" if asked.query else "/images"


def facet_views(found: Facets, asked: Asked) -> tuple[FacetView, ...]:
    """Fields with anything to choose from, each value with the query that narrows down to it."""
    sampled = found.of if found.sampled else 0
    return tuple(
        FacetView(field, tuple(_line(field, value, images, asked) for value, images in values[:MOST_VALUES]), sampled)
        for field, values in found.values.items()
        if values
    )


def _line(field: str, value: str, images: int, asked: Asked) -> FacetLine:
    narrowed = narrowing(field, value)
    query = f"({asked.query})" if " OR " in asked.query else asked.query
    return FacetLine(
        value, images, asked.url(query=f"{query} {narrowed}".strip()), asked.url(query=f"{query} -{narrowed}".strip())
    )


def _tile(one: GalleryImage, asked: Asked, why: Sequence[Reason]) -> Tile:
    given = {"group": asked.group, "query": asked.query}
    kept = urlencode({name: value for name, value in given.items() if value})
    reasons = tuple(_reason(reason) for reason in why[:MOST_REASONS])
    url = f"/ui/images/{one.image_id}{'?' + kept if kept else ''}"
    return Tile(one, url, _state(one), one.doubt if one.voted else None, reasons, moment_of(one.group, one.name))


def _reason(why: Reason) -> str:
    sure = "" if why.probability is None else f" {probability(why.probability)}"
    return f"{why.value}{sure}" if why.field == "label" else f"{why.field} {why.value}{sure}"


def _state(one: GalleryImage) -> Badge:
    """How far services are with it, in a word."""
    if not one.answered and not one.failed:
        return badge("waiting", "no answer yet")
    if one.failed:
        return badge("failed", f"{one.failed} failed")
    return badge("done", f"{one.answered} {'answer' if one.answered == 1 else 'answers'}")
