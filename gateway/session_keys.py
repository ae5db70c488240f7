"""The key that comes with a request: of a program in its header, of a browser in a cookie."""

from starlette.requests import Request

KEY_COOKIE = "windmill_key"
PAGES = "/ui/"
"""Where pages are, and the only place that forms are sent to."""
_SAFE = ("GET", "HEAD")


def key_of(request: Request) -> str:
    """The text of the key, or nothing. A browser sends cookies by itself, so what changes something takes a key from
    one only where a token in the form shows that the form is ours."""
    kind, _, text = request.headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer":
        return text.strip()
    is_ours = request.method in _SAFE or request.url.path.startswith(PAGES)
    return request.cookies.get(KEY_COOKIE, "").strip() if is_ours else ""
