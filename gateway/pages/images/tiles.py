"""What the list of images shows. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from gateway.pages.badges import Badge, badge
from windmill.operate.inspection.gallery import MOST_COMPARED, GalleryImage


@dataclass(frozen=True)
class Tile:
    """One image, and how far services are with it."""

    image: GalleryImage
    url: str
    state: Badge
    doubt: float | None


@dataclass(frozen=True)
class GalleryView:
    """A page of tiles; `compared` is among how many of the newest those were found on which services disagree."""

    tiles: tuple[Tile, ...]
    group: str
    sort: str
    next_url: str
    first_url: str
    newest_url: str
    doubt_url: str
    compared: int = MOST_COMPARED


def gallery_view(
    images: Sequence[GalleryImage], group: str, sort: str, cursor: str | None, *, first: bool
) -> GalleryView:
    return GalleryView(
        tiles=tuple(_tile(one, group) for one in images),
        group=group,
        sort=sort,
        next_url=_url(group, sort, cursor) if cursor else "",
        first_url="" if first else _url(group, sort),
        newest_url=_url(group, "newest"),
        doubt_url=_url(group, "doubt"),
    )


def _url(group: str, sort: str, cursor: str | None = None) -> str:
    given = {"group": group, "sort": "" if sort == "newest" else sort, "cursor": cursor or ""}
    asked = urlencode({name: value for name, value in given.items() if value})
    return f"/ui/images?{asked}" if asked else "/ui/images"


def _tile(one: GalleryImage, group: str) -> Tile:
    asked = f"?{urlencode({'group': group})}" if group else ""
    return Tile(one, f"/ui/images/{one.image_id}{asked}", _state(one), one.doubt if one.voted else None)


def _state(one: GalleryImage) -> Badge:
    """How far services are with it, in a word."""
    if not one.answered and not one.failed:
        return badge("waiting", "no answer yet")
    if one.failed:
        return badge("failed", f"{one.failed} failed")
    return badge("done", f"{one.answered} {'answer' if one.answered == 1 else 'answers'}")
