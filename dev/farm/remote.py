"""Client of the control port of a running farm."""

from collections.abc import Mapping, Sequence
from typing import Any

import requests

from windmill.core.errors import WindmillError

_TIMEOUT_SECONDS = 10.0


class RemoteFarm:
    """The control port of a running farm; one HTTP request per question."""

    def __init__(self, url: str) -> None:
        self._url = url

    def services(self) -> dict[str, str]:
        return dict(self._ask("GET", "/services"))

    def faults(self) -> dict[str, dict[str, float]]:
        return dict(self._ask("GET", "/faults"))

    def set_faults(self, services: Sequence[str], faults: Mapping[str, float]) -> None:
        self._ask("PUT", "/faults", {"services": list(services), "faults": dict(faults)})

    def clear_faults(self, services: Sequence[str]) -> None:
        self._ask("DELETE", "/faults", {"services": list(services)})

    def counts(self) -> dict[str, dict[str, Any]]:
        return dict(self._ask("GET", "/counts"))

    def reset_counts(self) -> None:
        self._ask("DELETE", "/counts")

    def _ask(self, method: str, path: str, body: object = None) -> Any:  # noqa: ANN401 - JSON of several shapes
        try:
            reply = requests.request(method, self._url + path, json=body, timeout=_TIMEOUT_SECONDS)
            document = reply.json()
        except (requests.RequestException, ValueError) as exc:
            raise WindmillError(
                "SERVICE_UNREACHABLE",
                f"no farm answers at {self._url}",
                "start one with `python -m dev.farm`, or give the --control-port it was started with",
            ) from exc
        if reply.status_code != 200:
            raise WindmillError(document["code"], document["error"], document["remedy"])
        return document
