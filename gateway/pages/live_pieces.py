"""What of a page changes while somebody looks at it. A page is made of pieces, each an element with an id and a digest
of what it shows. The script sends the digests that it has, and gets only the pieces that differ, at most so many bytes
at a time. Pure."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from markupsafe import Markup, escape

MOST_BYTES = 4_800
"""Of the pieces in one answer."""


@dataclass(frozen=True)
class Piece:
    """An element of a region; `html` is all of it."""

    key: str
    region: str
    digest: str
    html: str


@dataclass
class Pieces:
    """Collects the pieces of a page while it is made; templates call it as `piece`. Mutable."""

    found: list[Piece] = field(default_factory=list)

    def __call__(
        self,
        key: str,
        region: str,
        tag: str = "div",
        caller: Callable[[], str] = lambda: "",
        **attributes: Any,  # noqa: ANN401 - what HTML has
    ) -> Markup:
        """The element: `{% call piece("s-clip", "services", "tr") %}...{% endcall %}`."""
        inner = str(caller()).strip()
        told = "".join(f' {name.strip("_").replace("_", "-")}="{escape(value)}"' for name, value in attributes.items())
        digest = hashlib.blake2b((told + inner).encode(), digest_size=4).hexdigest()
        html = f'<{tag} id="{escape(key)}" data-v="{digest}"{told}>{inner}</{tag}>'
        self.found.append(Piece(key, region, digest, html))
        return Markup(html)  # noqa: S704 - made of escaped parts


Seen = Mapping[str, Mapping[str, str]]
"""Digests by region and key, in their order."""


def read_seen(header: str) -> Seen:
    """`services:s-blip=1f00aa12,s-clip=...;workers:...` as the script sends it; what makes no sense is left out."""
    seen: dict[str, dict[str, str]] = {}
    for part in header.split(";"):
        region, colon, keys = part.partition(":")
        if colon:
            pairs = (one.partition("=") for one in keys.split(",") if one)
            seen[region] = {key: digest for key, _, digest in pairs}
    return seen


def news(pieces: Sequence[Piece], seen: Seen, after: str = "", most: int = MOST_BYTES) -> dict[str, Any]:
    """What the script has to change: pieces that differ, and the keys of regions that have others or another order.
    `more` names the last piece that had room: asked again `after` it, the others come first, so that none starves."""
    known = {key: digest for keys in seen.values() for key, digest in keys.items()}
    first = next((index + 1 for index, piece in enumerate(pieces) if piece.key == after), 0)
    changed: dict[str, str] = {}
    size, more = 0, ""
    for piece in [*pieces[first:], *pieces[:first]]:
        if known.get(piece.key) == piece.digest:
            continue
        size += len(piece.html.encode())
        if changed and size > most:
            more = list(changed)[-1]
            break
        changed[piece.key] = piece.html
    return {"pieces": changed, "order": _orders(pieces, seen, {*known, *changed}), "more": more}


def _orders(pieces: Sequence[Piece], seen: Seen, there: set[str]) -> dict[str, list[str]]:
    """The keys of each region that is not as it was, of which the script has the pieces."""
    orders: dict[str, list[str]] = {region: [] for region in seen}
    for piece in pieces:
        if piece.key in there:
            orders.setdefault(piece.region, []).append(piece.key)
    return {region: keys for region, keys in orders.items() if keys != list(seen.get(region, ()))}
