"""What services ask of their callers: headers with keys, an authority to trust, a certificate of our own.

service_config.json names variables and files. Their values are read here, and only by programs that call the services:
a producer needs no keys.
"""

import re
import ssl
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from windmill.core.errors import ConfigInvalid, Problem
from windmill.core.settings import environment, home
from windmill.kernels.text.redaction import HIDDEN, redactor

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
# Visible ASCII, and blanks inside: what every proxy passes on unchanged.
_HEADER_VALUE = re.compile(r"[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?")


class Approached(Protocol):
    """What names how it wants to be approached: a service, or an engine behind HTTP."""

    @property
    def name(self) -> str: ...

    @property
    def headers(self) -> tuple[tuple[str, str], ...]: ...

    @property
    def ca(self) -> str: ...

    @property
    def client_certificate(self) -> str: ...

    @property
    def client_key(self) -> str: ...


@dataclass(frozen=True)
class ServiceAccess:
    """How one service is approached. The repr hides what is secret."""

    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)
    """Values that no log, error or report may show: whole header values and the variables in them."""
    authority: Path | None = None
    certificate: Path | None = None
    key: Path | None = None

    def hide(self, text: str) -> str:
        """The text without the secrets: a service may repeat a key in its refusal."""
        return redactor(self.secrets)(text) if self.secrets else text


def load_access(services: Iterable[Approached], environ: Mapping[str, str] | None = None) -> dict[str, ServiceAccess]:
    """The access to each service; raises ConfigInvalid with every variable and file that is missing."""
    environ = environment() if environ is None else environ
    problems: list[Problem] = []
    access = {service.name: _access(service, environ, problems) for service in services}
    if problems:
        raise ConfigInvalid(problems)
    return access


def secrets_of(access: Mapping[str, ServiceAccess]) -> tuple[str, ...]:
    """The secrets of all services, for the log."""
    return tuple(secret for one in access.values() for secret in one.secrets)


def tls_context(service: str, access: ServiceAccess) -> ssl.SSLContext:
    """What a certificate of the service has to prove, and our own; raises ConfigInvalid."""
    try:
        context = ssl.create_default_context(cafile=access.authority)
    except (OSError, ValueError) as error:
        said = f"is not a file with certificates in PEM: {error}"
        raise ConfigInvalid([Problem(f"{service}.ca", str(access.authority), said)]) from error
    context.set_alpn_protocols(["http/1.1"])
    if access.certificate:
        try:
            # With a password given, an encrypted key is an error, where otherwise OpenSSL would ask the terminal.
            context.load_cert_chain(access.certificate, access.key, password="")
        except (OSError, ValueError) as error:
            said = f"cannot be used, with its key in PEM and without a password: {error}"
            raise ConfigInvalid([Problem(f"{service}.client_certificate", str(access.certificate), said)]) from error
    return context


def _access(service: Approached, environ: Mapping[str, str], problems: list[Problem]) -> ServiceAccess:
    headers = [(name, _filled(service, name, template, environ, problems)) for name, template in service.headers]
    variables = [environ.get(found, "") for _, template in service.headers for found in _VARIABLE.findall(template)]
    files = {name: _file(service, name, environ, problems) for name in ("ca", "client_certificate", "client_key")}
    return ServiceAccess(
        tuple(headers),
        tuple(sorted({*(value for _, value in headers), *variables} - {""})),
        files["ca"],
        files["client_certificate"],
        files["client_key"],
    )


def _filled(
    service: Approached, header: str, template: str, environ: Mapping[str, str], problems: list[Problem]
) -> str:
    """A header's value with the variables filled in."""
    where = f"{service.name}.headers.{header}"
    missing = [name for name in _VARIABLE.findall(template) if not environ.get(name)]
    problems += [
        Problem(name, "", f"is not set, but the service {service.name} needs it for its header {header}")
        for name in missing
    ]
    value = _VARIABLE.sub(lambda found: environ.get(found[1], ""), template)
    if not missing and not _HEADER_VALUE.fullmatch(value):
        names = ", ".join(_VARIABLE.findall(template))
        problems.append(Problem(where, HIDDEN, f"must be visible ASCII in one line; correct {names}"))
    return value


def _file(service: Approached, key: str, environ: Mapping[str, str], problems: list[Problem]) -> Path | None:
    """A file that the service's entry names, relative to the folder of `.env`."""
    named = str(getattr(service, key))
    if not named:
        return None
    path = home(environ) / Path(named).expanduser()
    if not path.is_file():
        problems.append(Problem(f"{service.name}.{key}", named, "must name a file that can be read"))
    return path
