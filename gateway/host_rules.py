"""Who is let in where there are no keys: programs and pages of this machine, and no page of another site that a browser
was led to, by whatever name. Pure."""

from collections.abc import Sequence

from windmill.core.errors import WindmillError

LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})
OWN_HEADERS = ("windmill-request", "authorization")
"""A page of another site can send neither without asking for leave, which nobody gets. A key comes, too, in the second
after the first one was made, when a gateway may not know yet that keys are needed."""
_OWN_SITE = ("same-origin", "none")

Headers = Sequence[tuple[bytes, bytes]]


def foreign_request(headers: Headers, *, to_page: bool = False) -> WindmillError | None:
    """Why a request without a key is refused; None if it is not. Forms of pages carry a token instead of our header."""
    hosts, origins = values(headers, "host"), values(headers, "origin")
    if len(hosts) != 1 or name_of(hosts[0]) not in LOCAL_NAMES:
        return _refused("without keys the gateway answers to the names localhost, 127.0.0.1 and [::1] only")
    if any(origin not in (f"http://{hosts[0]}", f"https://{hosts[0]}") for origin in origins):
        return _refused("without keys a page of another site is refused")
    if any(site not in _OWN_SITE for site in values(headers, "sec-fetch-site")):
        return _refused("without keys a request that comes from another site is refused")
    is_form = any(kind.startswith("multipart/") for kind in values(headers, "content-type"))
    if is_form and not to_page and not any(values(headers, name) for name in OWN_HEADERS):
        said = "without keys a form is taken only with the header Windmill-Request: 1"
        return WindmillError("PERMISSION_DENIED", said, "send it, as curl does with -H 'Windmill-Request: 1'")
    return None


def values(headers: Headers, name: str) -> list[str]:
    """All values of a header, in small letters."""
    wanted = name.encode()
    return [value.decode("latin-1").strip().lower() for key, value in headers if key.lower() == wanted]


def name_of(host: str) -> str:
    """A Host without its port."""
    name, colon, port = host.rpartition(":")
    return name if colon and port.isdigit() else host


def _refused(said: str) -> WindmillError:
    return WindmillError(
        "PERMISSION_DENIED", said, "make a key, and send it: python -m windmill keys create NAME --scope admin"
    )
