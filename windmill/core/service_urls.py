"""The addresses of services: URLs in service_config.json, or a host and a port."""

import ipaddress
from dataclasses import dataclass
from typing import Literal
from urllib.parse import SplitResult, quote, urlsplit

from windmill.kernels.net.server_addresses import bracketed
from windmill.kernels.text.json_readers import rejected_value, text

Scheme = Literal["http", "https"]
DEFAULT_PORTS: dict[Scheme, int] = {"http": 80, "https": 443}
_SAFE_IN_PATH = "/?%:@!$&'()*+,;="


@dataclass(frozen=True)
class ServiceUrl:
    """One address of a service. `prefix` is what a proxy puts before the paths of the service; often empty."""

    scheme: Scheme
    host: str
    port: int
    prefix: str = ""
    path: str = ""

    @property
    def tls(self) -> bool:
        return self.scheme == "https"

    @property
    def target(self) -> str:
        """The path and query of a request line, quoted."""
        return quote(self.prefix + self.path, safe=_SAFE_IN_PATH)

    @property
    def authority(self) -> str:
        """The Host header. Of the default ports only that of https is left out: some gateways compare it by text."""
        named = bracketed(self.host.partition("%")[0])
        return named if self.tls and self.port == DEFAULT_PORTS["https"] else f"{named}:{self.port}"

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        return f"{self.scheme}://{bracketed(self.host)}:{self.port}"

    def __str__(self) -> str:
        return f"{self.origin}{self.prefix}{self.path}"


def service_url(value: object, key: str) -> ServiceUrl:
    """A reader for `url`: scheme, host, port and prefix, up to the `path` of the service.

    Its value is hidden in errors where it may hold a password.
    """
    parts = _split(text(value, key), key)
    if parts.username is not None or parts.password is not None:
        raise rejected_value(key, "***", 'may not hold a user or password; name a variable: "headers": {...}')
    if parts.query or parts.fragment:
        raise rejected_value(key, "***", "may not have a query or fragment; a query belongs to the key path")
    scheme: Scheme = "https" if parts.scheme == "https" else "http"
    port = parts.port if parts.port is not None else DEFAULT_PORTS[scheme]
    return ServiceUrl(scheme, parts.hostname or "", port, parts.path.rstrip("/"))


def host_and_port_url(host: str, port: int, path: str) -> ServiceUrl:
    """The address of a service that is configured by host and port."""
    return ServiceUrl("http", host.strip().strip("[]"), port, "", path)


def _split(url: str, key: str) -> SplitResult:
    """The parts of a URL with a host and a valid port."""
    wrong = rejected_value(key, "***", 'must be a URL such as "https://gpu.example:8443/clip"')
    if any(sign.isspace() or not sign.isprintable() or sign == "\\" for sign in url):
        raise wrong
    try:
        parts = urlsplit(url)
        port, host = parts.port, parts.hostname
        if host and ":" in host:
            ipaddress.IPv6Address(host)
    except ValueError as error:
        raise wrong from error
    if parts.scheme not in DEFAULT_PORTS or not host or port == 0:
        raise wrong
    return parts
