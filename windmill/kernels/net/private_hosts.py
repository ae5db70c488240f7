"""Which hosts image URLs may name: public ones, and private ones on the allowlist (names, addresses, networks).

Pure: it checks names and addresses, and resolves nothing.
"""

import ipaddress
import re
from functools import lru_cache

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
IpNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network

_NAME = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,62})(\.[a-z0-9_]([a-z0-9_-]{0,62}))*")
_UNICAST = ipaddress.IPv6Network("2000::/3")
_TRANSLATED = ipaddress.IPv6Network("64:ff9b::/96")
# Looks public, but on Azure it is the virtual machine platform.
_PLATFORM = ipaddress.IPv4Address("168.63.129.16")


def parse_allowed_host(entry: str) -> str:
    """Parse an allowlist entry into the canonical form for comparisons; raises ValueError."""
    if "/" in entry:
        return str(ipaddress.ip_network(entry))
    host = _plain(entry).strip("[]")
    if looks_like_address(host):
        return str(ipaddress.ip_network(host).network_address)
    if not _NAME.fullmatch(host):
        raise ValueError(f"{entry!r} is not a host name")
    return host


def host_allowed(host: str, allowed: frozenset[str]) -> bool:
    """Whether a URL may name this host; a name still has to resolve to an allowed address."""
    plain = _plain(host)
    if plain == "localhost":
        return address_allowed(host, "127.0.0.1", allowed) or address_allowed(host, "::1", allowed)
    return address_allowed(host, host, allowed) if looks_like_address(host) else True


def address_allowed(host: str, address: str, allowed: frozenset[str]) -> bool:
    """Whether a connection to `address`, to which `host` resolved, is allowed."""
    if _plain(host) in allowed:
        return True
    try:
        innermost = _innermost(ipaddress.ip_address(address))
    except ValueError:
        return False
    return _is_public(innermost) or any(innermost in network for network in _networks(allowed))


def looks_like_address(host: str) -> bool:
    """Whether it would be parsed as an address, also in short forms such as 127.1, instead of resolved as a name."""
    return ":" in host or host.replace(".", "").isdigit()


def _plain(host: str) -> str:
    return host.lower().rstrip(".")


def _innermost(address: IpAddress) -> IpAddress:
    """The IPv4 address inside a mapped, translated (NAT64) or tunnelled (6to4) IPv6 address."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in _TRANSLATED:
        return ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped or address.sixtofour or address


def _is_public(address: IpAddress) -> bool:
    if isinstance(address, ipaddress.IPv6Address) and address not in _UNICAST:
        return False
    return address.is_global and not address.is_multicast and address != _PLATFORM


@lru_cache(maxsize=8)
def _networks(allowed: frozenset[str]) -> tuple[IpNetwork, ...]:
    """The addresses and networks among the entries; an address becomes a network of one."""
    return tuple(ipaddress.ip_network(entry) for entry in allowed if "/" in entry or looks_like_address(entry))
