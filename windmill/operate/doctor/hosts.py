"""What can be said of a server by its name and its clock alone."""

import ipaddress

from windmill.kernels.net.server_addresses import parse_addresses
from windmill.operate.doctor.findings import Area, Finding, ok, problem, warning

SKEW_SECONDS = 2.0
FAR_SKEW_SECONDS = 60.0


def is_loopback(hosts: str) -> bool:
    """Whether what goes to these hosts stays on this machine; a path is a socket in the file system."""
    return all(_is_loopback(address.host) for address in parse_addresses(hosts, 1))


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.startswith("/"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def encryption(area: Area, host: str, remedy: str, *, tls: bool) -> Finding:
    """Passwords and results on a network should be encrypted."""
    if tls:
        return ok(area, "encryption", "TLS")
    if is_loopback(host):
        return ok(area, "encryption", "none, and none is needed on this machine's own loopback")
    return warning(area, "encryption", f"none: passwords and results go to {host} in plain text", remedy)


def clock(area: Area, seconds: float, exact: float) -> Finding:
    """`seconds` by which the other clock is ahead of ours, known to within `exact`."""
    away = max(abs(seconds) - exact, 0.0)
    remedy = "synchronise both clocks (chrony or systemd-timesyncd): times decide which answer is the newer one"
    if away <= SKEW_SECONDS:
        return ok(area, "clock", f"within {SKEW_SECONDS:g} s of this machine's")
    said = f"{abs(seconds):.1f} s {'ahead of' if seconds > 0 else 'behind'} this machine's"
    return (problem if away > FAR_SKEW_SECONDS else warning)(area, "clock", said, remedy)
