"""What tests of metrics and of their server share."""

import asyncio
from collections.abc import Iterable

from prometheus_client.parser import text_string_to_metric_families

from windmill.core.settings import Settings
from windmill.process.health import Health
from windmill.process.metric import Sample
from windmill.process.prometheus_exposition import render_metrics

OFF = Settings.from_env({"WORKER_ID": "me", "MAX_RETRIES": "1"})
HEALTH = Health(alive={"main loop": lambda: None}, ready={"broker": lambda: "unavailable for 3 s"})
Numbers = dict[tuple[str, ...], float]


def numbers(samples: Iterable[Sample]) -> Numbers:
    """Our metrics as Prometheus parses them, by name and label values in the order of the label names."""
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(render_metrics(samples).decode())
        for sample in family.samples
        if sample.name.startswith("windmill_")
    }


async def asked(port: int, request: str) -> tuple[int, dict[str, str], str]:
    """Status, header and body of the answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request.encode())
    head, _, body = (await asyncio.wait_for(reader.read(), 5)).decode().partition("\r\n\r\n")
    writer.close()
    first, *lines = head.split("\r\n")
    return int(first.split()[1]), dict(line.split(": ", 1) for line in lines), body


def get(path: str, method: str = "GET") -> str:
    return f"{method} {path} HTTP/1.1\r\nHost: here\r\nAccept: */*\r\n\r\n"
