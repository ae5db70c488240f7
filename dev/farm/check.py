"""`python -m dev.farm check URL --service NAME`: does a server, real or stand-in, keep the service's contract?"""

import argparse
import json
import sys
from dataclasses import dataclass

import requests

from dev.farm.judging import Observation, judge
from dev.farm.probes import ContractProbe, probes_for
from windmill.calling.canaries import finds_canary
from windmill.core.errors import WindmillError
from windmill.core.services import CanaryKind, load_fleet
from windmill.core.setting_parts import FleetSettings


@dataclass(frozen=True)
class ProbeResult:
    """The result of one probe: every way in which the reply departs from the contract."""

    probe: str
    departures: list[str]


def check(arguments: argparse.Namespace, settings: FleetSettings) -> int:
    """Probe the server and print every departure; 0 when there is none."""
    service = load_fleet(settings.service_config).select([arguments.service])[0]
    verdicts = check_server(
        arguments.url, arguments.service, service.canary, with_health=arguments.health, timeout=arguments.timeout
    )
    sys.stdout.write(_render_json(verdicts) if arguments.json else _render_text(verdicts))
    return 1 if any(verdict.departures for verdict in verdicts) else 0


def check_server(
    url: str, service: str, canary: CanaryKind | None = None, *, with_health: bool, timeout: float
) -> list[ProbeResult]:
    """All probes in sequence, because a service may not handle two requests at once."""
    base = _base_of(url)
    with requests.Session() as session:
        _must_answer(session, base, timeout)
        return [
            ProbeResult(probe.name, _departures(probe, _observe(session, base, probe, timeout)))
            for probe in probes_for(service, canary, with_health=with_health)
        ]


def _departures(probe: ContractProbe, got: Observation) -> list[str]:
    found = judge(probe.expected, got)
    if not found and probe.finds and not finds_canary(probe.finds, json.loads(got.body)["predictions"]):
        return [f"finds no {probe.finds}"]
    return found


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
