"""A page out of its template. What it shows is a view, a frozen dataclass; nothing is asked or decided here."""

import socket
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, partial
from pathlib import Path
from typing import Any

import orjson
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import Response

from gateway.caller import RANKS, RouteScope
from gateway.context import gateway_of
from gateway.errors import hide_paths
from gateway.pages import words
from gateway.pages.badges import badge
from gateway.pages.flash import COOKIE, flash_of
from gateway.pages.live_pieces import Pieces, news, read_seen
from gateway.pages.navigation import sections_for
from gateway.pages.static_files import static_url
from gateway.pages.workers.views import worker_badge
from gateway.request_state import state_of
from windmill import VERSION

TEMPLATES = Path(__file__).parent / "templates"
SEEN, AFTER = "windmill-seen", "windmill-after"
POLICY = "; ".join(
    (
        "default-src 'none'",
        "style-src 'self'",
        "script-src 'self'",
        "img-src 'self'",
        "media-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    # Without a referrer browsers send forms with the origin null, which could be anybody's.
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_FILTERS = (
    words.number,
    words.capped,
    words.count,
    words.size,
    words.probability,
    words.percent,
    words.sentence,
    words.breakable,
    words.span,
    words.estimate,
    words.playtime,
    hide_paths,
)


@dataclass(frozen=True)
class Shown:
    """A page: its template, its title, the section of the navigation that it is in, and what it shows. `live` is the
    address that tells what has changed of it; `json` has the same as JSON."""

    template: str
    title: str
    section: str
    view: object = None
    live: str = ""
    json: str = ""


@cache
def environment(folder: Path = TEMPLATES) -> Environment:
    made = Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.filters.update({one.__name__: one for one in _FILTERS})
    made.globals.update(
        badge=badge, worker_badge=worker_badge, static_url=static_url, version=VERSION, host=socket.gethostname()
    )
    return made


def page(request: Request, shown: Shown, status: int = 200) -> Response:
    """The whole page."""
    html, _ = _rendered(request, shown)
    response = Response(html, status, media_type="text/html", headers=HEADERS)
    if COOKIE in request.cookies:
        response.delete_cookie(COOKIE, path="/ui/")
    return response


def changes(request: Request, shown: Shown) -> Response:
    """Only what differs from what the script says it has; 204 if nothing does."""
    _, pieces = _rendered(request, shown)
    told = news(pieces.found, read_seen(request.headers.get(SEEN, "")), request.headers.get(AFTER, ""))
    if not told["pieces"] and not told["order"]:
        return Response(status_code=204, headers=HEADERS)
    return Response(orjson.dumps(told), media_type="application/json", headers=HEADERS)


def _rendered(request: Request, shown: Shown) -> tuple[str, Pieces]:
    pieces, now = Pieces(), datetime.now(UTC)
    template = environment().get_template(shown.template)
    times = {"ago": partial(words.ago, now=now), "clock": partial(words.clock, now=now), "now": now}
    return template.render(**_frame(request), **times, piece=pieces, page=shown, view=shown.view), pieces


def _frame(request: Request) -> dict[str, Any]:
    """What surrounds every page."""
    caller = state_of(request).caller

    def may(scope: RouteScope) -> bool:
        return caller is not None and RANKS[caller.scope] >= RANKS[scope]

    return {
        "caller": caller,
        "may": may,
        "sections": sections_for(caller),
        "token": gateway_of(request).form_tokens.token_of(caller),
        "flash": flash_of(request),
        "here": request.url.path + (f"?{request.url.query}" if request.url.query else ""),
        "request_id": state_of(request).request_id,
    }
