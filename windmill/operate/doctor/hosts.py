"""Tests that need nothing but the host name and the clock of a server."""

import ipaddress

from windmill.kernels.net.server_addresses import parse_addresses
from windmill.operate.doctor.findings import Area, DoctorFinding, ok, problem, warning

SKEW_SECONDS = 2.0
FAR_SKEW_SECONDS = 60.0


def is_loopback(hosts: str) -> bool:
    """Whether traffic to these hosts stays on this machine. A path is a Unix socket."""
    return all(_is_loopback(address.host) for address in parse_addresses(hosts, 1))


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.startswith("/"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def judge_encryption(area: Area, host: str, remedy: str, *, tls: bool) -> DoctorFinding:
    """A warning when passwords and results cross a network in plain text."""
    if tls:
        return ok(area, "encryption", "TLS")
    if is_loopback(host):
        return ok(area, "encryption", "none, and none is needed on this machine's own loopback")
    return warning(area, "encryption", f"none: passwords and results go to {host} in plain text", remedy)


def judge_clock(area: Area, seconds: float, exact: float) -> DoctorFinding:
    """`seconds` is how far the other clock is ahead of ours, with an error of up to `exact`."""
    away = max(abs(seconds) - exact, 0.0)
    remedy = "synchronise both clocks (chrony or systemd-timesyncd): times decide which answer is the newer one"
    if away <= SKEW_SECONDS:
        return ok(area, "clock", f"within {SKEW_SECONDS:g} s of this machine's")
    said = f"{abs(seconds):.1f} s {'ahead of' if seconds > 0 else 'behind'} this machine's"
    return (problem if away > FAR_SKEW_SECONDS else warning)(area, "clock", said, remedy)
