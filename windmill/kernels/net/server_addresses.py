"""Server addresses in settings: a list of hosts, each with its own port or the default one."""

import ipaddress
from collections.abc import Iterable
from typing import NamedTuple


class ServerAddress(NamedTuple):
    """Where a server listens; a host that starts with / is the directory of a Unix socket."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{bracketed(self.host)}:{self.port}"


def bracketed(host: str) -> str:
    """The host as written in a URL: IPv6 in brackets."""
    return f"[{host}]" if ":" in host else host


def parse_addresses(text: str, default_port: int) -> tuple[ServerAddress, ...]:
    """Parse hosts separated by commas, each `host`, `host:port`, `[IPv6]` or `[IPv6]:port`; raises ValueError."""
    return tuple(_address(part.strip(), default_port) for part in text.split(","))


def render_addresses(servers: Iterable[ServerAddress]) -> str:
    return ", ".join(map(str, servers))


def _address(text: str, default_port: int) -> ServerAddress:
    if text.startswith("/"):
        return ServerAddress(text, default_port)
    host, port = _split_port(text)
    if not host or any(sign.isspace() or sign in "/@[]" for sign in host):
        raise ValueError(f"{text!r} is not a host")
    return ServerAddress(host, _port(port, text) if port else default_port)


def _split_port(text: str) -> tuple[str, str]:
    """The host and the text of its port, empty without one."""
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        if not bracket or (rest and not rest.startswith(":")) or rest == ":":
            raise ValueError(f"{text!r} is not a host")
        return str(ipaddress.IPv6Address(host)), rest[1:]
    if text.count(":") > 1:
        # A bare IPv6 address needs no brackets, as no port follows it.
        return str(ipaddress.IPv6Address(text)), ""
    host, colon, port = text.partition(":")
    if colon and not port:
        raise ValueError(f"{text!r} is not a host")
    return host, port


def _port(text: str, whole: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:6]) <= 65_535):
        raise ValueError(f"{whole!r} has no port from 1 to 65535")
    return int(text)
