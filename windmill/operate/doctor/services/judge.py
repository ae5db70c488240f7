"""Findings from a service's reply to a request without an image. Pure."""

import json
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from windmill.calling.canaries import finds_canary
from windmill.core.services import CanaryKind, Service
from windmill.operate.doctor.findings import DoctorFinding, ok, problem, warning

STAND_IN = "windmill-farm"
_CERTIFICATE = "renew the service's certificate, or correct its url, ca and client_certificate in SERVICE_CONFIG"
_LOCKED = (401, 403, 407)
_CONFIG = "correct host, port and path in SERVICE_CONFIG, SERVICE_HOST or SERVICE_PORT_OFFSET"


@dataclass(frozen=True)
class ProbeReply:
    """What a service replied to a probe."""

    status: int
    server: str
    body: bytes


def judge_silence(service: Service, where: str, error: Exception) -> DoctorFinding:
    """A problem, because nothing answered at this address."""
    if isinstance(error, ConnectionRefusedError):
        return problem("services", service.name, f"nothing listens at {where}", f"start the service, or {_CONFIG}")
    if isinstance(error, ssl.SSLCertVerificationError):
        said = f"the certificate at {where} is not accepted: {error.verify_message}"
        return problem("services", service.name, said, _CERTIFICATE)
    if isinstance(error, ssl.SSLError):
        return problem("services", service.name, f"TLS failed at {where}: {error.reason or error}", _CERTIFICATE)
    said = f"no answer at {where}: {error or type(error).__name__}"
    return problem("services", service.name, said, f"see whether it hangs; else {_CONFIG}")


def judge_reply(service: Service, url: str, heard: ProbeReply) -> list[DoctorFinding]:
    """A service of the fleet answers 400, with its name in JSON, because the image is missing."""
    document = _object(heard.body)
    name = document.get("service")
    if isinstance(name, str) and name in service.foreign:
        said = f"{name} answers at {url}: ports were exchanged"
        remedy = "correct the ports in SERVICE_CONFIG; if the service is right, correct answers_as"
        return [problem("services", service.name, said, remedy)]
    if heard.status != 400 or not document:
        return [_stranger(service, url, heard)]
    return [_known(service, url, name), *_stand_in(service, heard, document)]


def judge_canary(service: Service, kind: CanaryKind, predictions: Sequence[object]) -> DoctorFinding:
    """Whether it finds what a picture shows; a stand-in or another model may never have."""
    name = f"{service.name} canary"
    if finds_canary(kind, predictions):
        return ok("services", name, f"finds {kind} in a picture that shows it")
    return problem("services", name, f"finds no {kind} in a picture that shows it", "restart the service")


def judge_no_slot(service: Service) -> DoctorFinding:
    """All calls that the service bears are taken, or the database is away."""
    said = "was not asked: no slot of the fleet became free"
    return warning("services", f"{service.name} health", said, "try again, or give --timeout more")


def _object(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def _known(service: Service, url: str, name: object) -> DoctorFinding:
    if name == service.name or name in service.answers_as:
        return ok("services", service.name, f"answers as {name} at {url}")
    if isinstance(name, str) and name:
        said = f"answers as {name[:60]!r} at {url}, which is not one of its names"
        return warning(
            "services",
            service.name,
            said,
            f"see what listens there; if it is {service.name}, list the name under answers_as",
        )
    return warning("services", service.name, f"answers at {url} without saying its name", "see what listens there")


def _stranger(service: Service, url: str, heard: ProbeReply) -> DoctorFinding:
    if heard.status in (429, 503):
        said = f"{url} answered {heard.status}: it has too much to do"
        return warning("services", service.name, said, "lower the concurrency of its workers, or wait")
    if heard.status >= 500:
        said = f"{url} answered {heard.status} to a request without a picture"
        return problem("services", service.name, said, "see the log of the service")
    if heard.status in _LOCKED:
        said = f"{url} answered {heard.status}: it denies access"
        return problem(
            "services", service.name, said, "correct headers of the service in SERVICE_CONFIG, and their keys"
        )
    said = f"{url} answered {heard.status}, not 400 with JSON that demands a picture: this is no service of the fleet"
    return problem("services", service.name, said, _CONFIG)


def _stand_in(service: Service, heard: ProbeReply, document: dict[str, Any]) -> list[DoctorFinding]:
    metadata = document.get("metadata")
    info = metadata.get("model_info") if isinstance(metadata, dict) else None
    framework = info.get("framework") if isinstance(info, dict) else None
    if STAND_IN not in (heard.server, framework):
        return []
    return [
        warning(
            "services",
            service.name,
            "a stand-in answers (python -m dev.farm)",
            "start the real service before results count",
        )
    ]
