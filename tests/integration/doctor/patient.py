"""A fleet that a test may harm, and what the doctor says of it."""

import json
from dataclasses import dataclass
from typing import Any

import requests

from tests.conformance.services.serving import Client
from tests.integration.fleet import Fleet
from windmill import broker
from windmill.broker.management import TOTALS, ask, quoted_vhost
from windmill.core.settings import ROOT

SECRET = "wrong-and-secret"
SERVICES = ("clip", "yolov8")


@dataclass(frozen=True)
class Report:
    """What one run of the doctor said."""

    code: int
    findings: list[dict[str, str]]
    text: str

    def of(self, name: str, area: str | None = None) -> dict[str, str]:
        """The worst finding of this name."""
        named = [one for one in self.findings if one["name"] == name and area in (None, one["area"])]
        assert named, f"nothing is called {name}\n{self.text}"
        return max(named, key=lambda one: ("ok", "warning", "problem").index(one["state"]))

    @property
    def problems(self) -> list[str]:
        return [one["name"] for one in self.findings if one["state"] == "problem"]


class Patient:
    """A fleet of two services, declared and answering, that a test may harm."""

    def __init__(self, fleet: Fleet, services: Client) -> None:
        self.fleet = fleet
        self.settings = fleet.settings
        self._config = fleet.folder / "services.json"
        self.listens({service: int(services.farm.url(service).rpartition(":")[2]) for service in SERVICES})
        fleet.environ |= {"SERVICE_CONFIG": str(self._config), "SERVICE_HOST": "127.0.0.1"}

    def listens(self, ports: dict[str, int]) -> None:
        """Let the configuration name these ports."""
        self.ports = ports
        document = json.loads((ROOT / "service_config.json").read_text())
        known = document["services"]
        services = {name: {**known[name], "port": port, "sets": []} for name, port in ports.items()}
        self._config.write_text(json.dumps({**document, "services": services}))

    async def examined(self, *options: str, **variables: str) -> Report:
        end = await self.fleet.run("windmill", "doctor", "--json", *options, **variables)
        assert "Traceback" not in end.err, end.err
        assert SECRET not in end.out + end.err
        return Report(end.code, end.json() if end.out else [], end.out + end.err)

    async def declared(self) -> "Patient":
        ended = await self.fleet.run("windmill", "declare")
        assert ended.code == 0, ended.err
        return self

    def api(self, method: str, path: str, document: Any = None) -> None:  # noqa: ANN401 - any JSON
        where = f"http://{self.settings.queue_host}:{self.settings.queue_management_port}/api/{path}"
        login = (self.settings.queue_user, self.settings.queue_password)
        requests.request(method, where, json=document, auth=login, timeout=10).raise_for_status()

    def queues(self) -> set[str]:
        listed = ask(self.settings, f"queues/{quoted_vhost(self.settings)}?disable_stats=true").document
        return {one["name"] for one in listed if one["name"].startswith(self.settings.queue_prefix)}

    def messages(self, service: str) -> int:
        """As the management API sees them, some seconds later."""
        queue = broker.work_queue(self.settings, service)
        listed = ask(self.settings, f"queues/{quoted_vhost(self.settings)}?{TOTALS}").document
        return next((int(one.get("messages", 0)) for one in listed if one["name"] == queue), 0)

    async def declare_queue(self, name: str, **arguments: Any) -> None:  # noqa: ANN401 - of a queue
        async with broker.connection(self.settings, "test") as opened, opened.channel() as channel:
            await channel.queue_delete(name)
            await channel.declare_queue(name, durable=True, arguments=arguments)
