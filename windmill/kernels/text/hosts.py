"""Which hosts are public, and which others an operator allows: names, addresses, networks. Resolves no name."""

import ipaddress
import re
from functools import lru_cache

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_NAME = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,62})(\.[a-z0-9_]([a-z0-9_-]{0,62}))*")
_UNICAST = ipaddress.IPv6Network("2000::/3")
_TRANSLATED = ipaddress.IPv6Network("64:ff9b::/96")
# Looks public, and on Azure's machines is the platform that they run on.
_PLATFORM = ipaddress.IPv4Address("168.63.129.16")


def allowed_host(entry: str) -> str:
    """A name, address or network in the spelling in which it is compared; ValueError says what is wrong with it."""
    if "/" in entry:
        return str(ipaddress.ip_network(entry))
    host = _plain(entry).strip("[]")
    if looks_like_address(host):
        return str(ipaddress.ip_network(host).network_address)
    if not _NAME.fullmatch(host):
        raise ValueError(f"{entry!r} is not a host name")
    return host


def may_name(host: str, allowed: frozenset[str]) -> bool:
    """Whether a URL may name this host, as far as that is known before its name is resolved."""
    plain = _plain(host)
    if plain == "localhost":
        return may_visit(host, "127.0.0.1", allowed) or may_visit(host, "::1", allowed)
    return may_visit(host, host, allowed) if looks_like_address(host) else True


def may_visit(host: str, address: str, allowed: frozenset[str]) -> bool:
    """Whether `host`, which has led to `address`, may be asked there."""
    if _plain(host) in allowed:
        return True
    try:
        judged = _innermost(ipaddress.ip_address(address))
    except ValueError:
        return False
    return _is_public(judged) or any(judged in network for network in _networks(allowed))


def looks_like_address(host: str) -> bool:
    """Whether it is taken for an address, also in short forms such as 127.1, instead of resolved as a name."""
    return ":" in host or host.replace(".", "").isdigit()


def _plain(host: str) -> str:
    return host.lower().rstrip(".")


def _innermost(address: Address) -> Address:
    """The IPv4 address that a mapped, translated (NAT64) or tunnelled (6to4) IPv6 address leads to."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in _TRANSLATED:
        return ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped or address.sixtofour or address


def _is_public(address: Address) -> bool:
    if isinstance(address, ipaddress.IPv6Address) and address not in _UNICAST:
        return False
    return address.is_global and not address.is_multicast and address != _PLATFORM


@lru_cache(maxsize=8)
def _networks(allowed: frozenset[str]) -> tuple[Network, ...]:
    """The addresses and networks among the entries, an address as a network of one."""
    return tuple(ipaddress.ip_network(entry) for entry in allowed if "/" in entry or looks_like_address(entry))
