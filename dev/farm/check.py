"""`python -m dev.farm check URL --service NAME`: does a server, real or stand-in, keep the service's contract?"""

import argparse
import json
import sys
from dataclasses import dataclass

import requests

from dev.farm.comfyui.check import check_comfyui
from dev.farm.judging import Observation, judge
from dev.farm.probes import ContractProbe, probes_for
from windmill.calling.canaries import finds_canary
from windmill.core.errors import WindmillError
from windmill.core.service_access import ServiceAccess, load_access
from windmill.core.services import CanaryKind, Service, load_fleet
from windmill.core.setting_parts import FleetSettings

COMFYUI = "comfyui"
"""A server with a contract of its own."""


@dataclass(frozen=True)
class ProbeResult:
    """The result of one probe: every way in which the reply departs from the contract."""

    probe: str
    departures: list[str]


def check(arguments: argparse.Namespace, settings: FleetSettings) -> int:
    """Probe the server and print every departure; 0 when there is none."""
    if arguments.service == COMFYUI:
        return _show(_comfyui(arguments.url, arguments.timeout), as_json=arguments.json)
    [service] = load_fleet(settings.service_config).select([arguments.service])
    verdicts = check_server(
        arguments.url,
        arguments.service,
        service.canary,
        with_health=arguments.health,
        timeout=arguments.timeout,
        access=access_for(arguments.url, service, settings),
    )
    return _show(verdicts, as_json=arguments.json)


def _show(verdicts: list[ProbeResult], *, as_json: bool) -> int:
    sys.stdout.write(_render_json(verdicts) if as_json else _render_text(verdicts))
    return 1 if any(verdict.departures for verdict in verdicts) else 0


def _comfyui(url: str, timeout: float) -> list[ProbeResult]:
    base = _base_of(url)
    with requests.Session() as session:
        _must_answer(session, base, timeout)
        return [ProbeResult(name, departures) for name, departures in check_comfyui(base, session, timeout)]


def access_for(url: str, service: Service, settings: FleetSettings) -> ServiceAccess:
    """The headers and certificates of the service, if the URL leads to one of its own addresses: keys are sent nowhere
    else."""
    base = _base_of(url)
    for address in service.addresses(settings.service_host, settings.service_port_offset):
        if base in (f"{address.origin}{address.prefix}", f"{address.scheme}://{address.authority}{address.prefix}"):
            return load_access([service])[service.name]
    return ServiceAccess()


def check_server(
    url: str,
    service: str,
    canary: CanaryKind | None = None,
    *,
    with_health: bool,
    timeout: float,
    access: ServiceAccess | None = None,
) -> list[ProbeResult]:
    """All probes in sequence, because a service may not handle two requests at once."""
    base = _base_of(url)
    access = access or ServiceAccess()
    with requests.Session() as session:
        _open_to(session, access)
        _must_answer(session, base, timeout)
        return [
            ProbeResult(probe.name, _departures(probe, _observe(session, base, probe, timeout), access))
            for probe in probes_for(service, canary, with_health=with_health)
        ]


def _open_to(session: requests.Session, access: ServiceAccess) -> None:
    """Send what the service asks for. A password in ~/.netrc would replace its header, REQUESTS_CA_BUNDLE its
    authority, and a redirect would take the key elsewhere."""
    session.headers.update(access.headers)
    if access.headers or access.authority or access.certificate:
        session.trust_env, session.max_redirects = False, 0
    if access.authority:
        session.verify = str(access.authority)
    if access.certificate:
        session.cert = (str(access.certificate), str(access.key or access.certificate))


def _departures(probe: ContractProbe, observed: Observation, access: ServiceAccess) -> list[str]:
    """How the reply departs from what is expected, without a key that the service repeats."""
    found = judge(probe.expected, observed)
    if not found and probe.finds and not finds_canary(probe.finds, json.loads(observed.body)["predictions"]):
        return [f"finds no {probe.finds}"]
    return [access.hide(one) for one in found]


def _base_of(url: str) -> str:
    base = url if "://" in url else f"http://{url}"
    # Addresses in service_config.json end with a path; the probes add their own.
    return base.rstrip("/").removesuffix("/v3/analyze").removesuffix("/analyze")


def _must_answer(session: requests.Session, base: str, timeout: float) -> None:
    try:
        session.get(f"{base}/no-such-path", timeout=timeout)
    except requests.RequestException as exc:
        raise WindmillError("SERVICE_UNREACHABLE", f"nothing answers at {base}: {exc}") from exc


def _observe(session: requests.Session, base: str, probe: ContractProbe, timeout: float) -> Observation:
    files = None
    if probe.upload:
        field, filename, data = probe.upload
        files = {field: (filename, data, "image/jpeg")}
    headers = {"Content-Type": "image/jpeg"} if probe.raw is not None else None
    try:
        reply = session.request(
            probe.method,
            base + probe.path,
            params=dict(probe.query),
            files=files,
            data=probe.raw,
            headers=headers,
            timeout=timeout,
        )
    except requests.RequestException as exc:
        return Observation(failure=f"{type(exc).__name__}: {exc!s:.120}")
    return Observation(reply.status_code, reply.headers.get("Content-Type", ""), reply.content)


def _render_text(verdicts: list[ProbeResult]) -> str:
    lines = [
        f"departs  {verdict.probe}: {departure}" if departure else f"ok       {verdict.probe}"
        for verdict in verdicts
        for departure in verdict.departures or [""]
    ]
    departing = sum(1 for verdict in verdicts if verdict.departures)
    return "\n".join(lines) + f"\n{len(verdicts) - departing} ok, {departing} depart\n"


def _render_json(verdicts: list[ProbeResult]) -> str:
    checks = [{"check": v.probe, "ok": not v.departures, "departures": v.departures} for v in verdicts]
    return json.dumps({"ok": all(c["ok"] for c in checks), "checks": checks}) + "\n"
