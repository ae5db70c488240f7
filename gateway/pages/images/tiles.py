"""What the list of images shows. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from gateway.pages.badges import Badge, badge
from windmill.kernels.query.matching import Reason
from windmill.operate.inspection.gallery import MOST_COMPARED, GalleryImage

EXAMPLES: Sequence[tuple[str, str]] = (
    ("label:dog -person", "a dog, and nobody with it"),
    ('text:"stop sign"', "words in a picture or its caption"),
    ("label:dog@0.8", "a dog that is at least so likely"),
    ("faces:2 OR persons:>=3", "so many faces, or people"),
    ("colour:red taken:2024-05..2024-07", "by colour and time"),
    ("camera:canon nsfw:no size:>=1000x800", "by camera, and by size"),
)
MOST_REASONS = 4


@dataclass(frozen=True)
class Asked:
    """What is in the address of the list."""

    query: str = ""
    group: str = ""
    sort: str = "newest"

    def url(self, **more: str) -> str:
        given = {"query": self.query, "group": self.group, "sort": "" if self.sort == "newest" else self.sort, **more}
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
class Tile:
    """One image, how far services are with it, and why it was found."""

    image: GalleryImage
    url: str
    state: Badge
    doubt: float | None
    why: tuple[str, ...]


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
    examples: Sequence[tuple[str, str]] = EXAMPLES

    @property
    def lede(self) -> str:
        """What these are, in a sentence."""
        if self.mistake:
            return "The query cannot be read."
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
) -> GalleryView:
    return GalleryView(
        tiles=tuple(_tile(one, asked, why.get(one.image_id, ())) for one in images),
        asked=asked,
        total=total,
        complete=complete,
        mistake=mistake,
        next_url=asked.url(cursor=cursor) if cursor else "",
        first_url="" if first else asked.url(),
        json_url="/images" if not asked.query else f"/search?{urlencode({'query': asked.query})}",
    )


def _tile(one: GalleryImage, asked: Asked, why: Sequence[Reason]) -> Tile:
    given = {"group": asked.group, "query": asked.query}
    kept = urlencode({name: value for name, value in given.items() if value})
    reasons = tuple(_reason(reason) for reason in why[:MOST_REASONS])
    url = f"/ui/images/{one.image_id}{'?' + kept if kept else ''}"
    return Tile(one, url, _state(one), one.doubt if one.voted else None, reasons)


def _reason(why: Reason) -> str:
    sure = "" if why.probability is None else f" {why.probability:.2f}".replace(" 0.", " .")
    return f"{why.value}{sure}" if why.field == "label" else f"{why.field} {why.value}{sure}"


def _state(one: GalleryImage) -> Badge:
    """How far services are with it, in a word."""
    if not one.answered and not one.failed:
        return badge("waiting", "no answer yet")
    if one.failed:
        return badge("failed", f"{one.failed} failed")
    return badge("done", f"{one.answered} {'answer' if one.answered == 1 else 'answers'}")
