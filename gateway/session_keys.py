"""The key that comes with a request: of a program in its header, of a browser in a cookie."""

from starlette.requests import Request

KEY_COOKIE = "windmill_key"
PAGES = "/ui/"
"""Where pages are, and the only place that forms are sent to."""
_SAFE = ("GET", "HEAD")


def header_key(request: Request) -> str:
    """The key that a program sends, or nothing."""
    kind, _, text = request.headers.get("authorization", "").partition(" ")
    return text.strip() if kind.lower() == "bearer" else ""


def cookie_key(request: Request) -> str:
    """The key of a browser, or nothing. It sends cookies by itself, so what changes something takes a key from one only
    where a token in the form shows that the form is ours."""
    is_ours = request.method in _SAFE or request.url.path.startswith(PAGES)
    return request.cookies.get(KEY_COOKIE, "").strip() if is_ours else ""
