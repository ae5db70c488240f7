"""The part of the rule for image URLs that needs no name resolution. Pure."""

from yarl import URL

from windmill.kernels.net.private_hosts import host_allowed


class UnfitImageUrl(ValueError):
    """The URL may not be used; the message never quotes it."""


def render_url(url: URL) -> str:
    """A URL for messages: without user, password, query and fragment."""
    return str(url.with_user(None).with_query(None).with_fragment(None))


def fit_image_url(address: str, allowed: frozenset[str], base: URL | None = None, *, name: str = "image_url") -> URL:
    """The parsed URL of an image, or of a redirect from `base`; raises UnfitImageUrl, which calls it by its `name`.

    Whoever fetches the image has to use this parsed URL: a second parser might see another host.
    """
    what = f"the redirect target of {render_url(base)}" if base else name
    try:
        url = base.join(URL(address)) if base else URL(address)
    except ValueError as error:
        # The text is hidden: a password could be anywhere in it.
        raise UnfitImageUrl(f"{what} is not a URL") from error
    host = url.raw_host
    if url.scheme not in ("http", "https") or not host:
        raise UnfitImageUrl(f"{what} is not an http or https URL")
    if not host_allowed(host, allowed):
        raise UnfitImageUrl(f"{host} is not a public address")
    return url


def check_url_for_others(address: str, allowed: frozenset[str]) -> None:
    """Check a URL that another program is to fetch, which parses it anew and keeps its own logs: no credentials, and
    nothing before the path that parsers read differently. Raises UnfitImageUrl."""
    url = fit_image_url(address, allowed)
    if url.raw_user is not None or url.raw_password is not None:
        raise UnfitImageUrl("image_url holds a user or password, which would be handed to the service")
    authority = address.partition("://")[2].partition("/")[0].partition("?")[0].partition("#")[0]
    if address != address.strip() or any(
        sign in "\\@" or sign.isspace() or not sign.isprintable() for sign in authority
    ):
        raise UnfitImageUrl("image_url has a host that programs would read differently")
