"""Addresses of servers as people write them: a list of hosts, each with a port of its own or the usual one."""

import ipaddress
from collections.abc import Iterable
from typing import NamedTuple


class Address(NamedTuple):
    """Where a server listens; a host that begins with / is the directory of a socket in the file system."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"{bracketed(self.host)}:{self.port}"


def bracketed(host: str) -> str:
    """As a host stands in a URL."""
    return f"[{host}]" if ":" in host else host


def addresses(text: str, usual_port: int) -> tuple[Address, ...]:
    """Hosts separated by commas, each `host`, `host:port`, `[IPv6]` or `[IPv6]:port`; ValueError says which is none."""
    return tuple(_address(part.strip(), usual_port) for part in text.split(","))


def shown(servers: Iterable[Address]) -> str:
    return ", ".join(map(str, servers))


def _address(text: str, usual_port: int) -> Address:
    if text.startswith("/"):
        return Address(text, usual_port)
    host, port = _parted(text)
    if not host or any(sign.isspace() or sign in "/@[]" for sign in host):
        raise ValueError(f"{text!r} is not a host")
    return Address(host, _port(port, text) if port else usual_port)


def _parted(text: str) -> tuple[str, str]:
    """A host and the text of its port, empty where there is none."""
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        if not bracket or (rest and not rest.startswith(":")) or rest == ":":
            raise ValueError(f"{text!r} is not a host")
        return str(ipaddress.IPv6Address(host)), rest[1:]
    if text.count(":") > 1:
        # An address alone needs no brackets, as nothing follows it.
        return str(ipaddress.IPv6Address(text)), ""
    host, colon, port = text.partition(":")
    if colon and not port:
        raise ValueError(f"{text!r} is not a host")
    return host, port


def _port(text: str, whole: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:6]) <= 65_535):
        raise ValueError(f"{whole!r} has no port from 1 to 65535")
    return int(text)
