"""A Prometheus of a test's own, with the rules and the jobs of deploy/prometheus, but targets of the test."""

import json
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from dev.servers import ports
from tests.unit.manifests import DEPLOY, document
from tests.waiting import wait_until

FOLDER = DEPLOY / "prometheus"
READY_SECONDS = 30


def configuration(targets: Mapping[str, Sequence[int]]) -> dict[str, Any]:
    """That of deploy/, where each job named asks these ports of ours, every second; other jobs are left out."""
    found = document(FOLDER / "prometheus.yml")
    jobs = {job["job_name"]: job for job in found["scrape_configs"]}
    return {
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(FOLDER / name) for name in found["rule_files"]],
        "scrape_configs": [_asking(jobs[name], where) for name, where in targets.items()],
    }


def _asking(job: Mapping[str, Any], where: Sequence[int]) -> dict[str, Any]:
    kept = {key: value for key, value in job.items() if not key.endswith("sd_configs")}
    return {**kept, "static_configs": [{"targets": [f"{ports.LOOPBACK}:{port}" for port in where]}]}


class Prometheus:
    """One that runs."""

    def __init__(self, port: int) -> None:
        self._address = f"http://{ports.LOOPBACK}:{port}"

    def ask(self, path: str, **parameters: str) -> Any:  # noqa: ANN401 - any JSON
        """What its HTTP API says; a question that it does not understand fails with its reason."""
        url = f"{self._address}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        try:
            with urllib.request.urlopen(url, timeout=30) as reply:
                return json.load(reply)["data"]
        except urllib.error.HTTPError as error:
            with error:
                raise AssertionError(f"{parameters}: {error.read().decode()}") from None

    def samples(self, expression: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.ask("query", query=expression)["result"]
        return found

    def is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self._address}/-/ready", timeout=5) as reply:
                return bool(reply.status == 200)
        except OSError:
            return False


@contextmanager
def running_prometheus(program: str, folder: Path, targets: Mapping[str, Sequence[int]]) -> Iterator[Prometheus]:
    folder.mkdir()
    YAML(typ="safe").dump(configuration(targets), folder / "prometheus.yml")
    port = ports.choose(19_090, folder)
    argv = [
        program,
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address={ports.LOOPBACK}:{port}",
        "--log.level=warn",
    ]
    log = folder / "prometheus.log"
    with log.open("wb") as output, subprocess.Popen(argv, stdout=output, stderr=output, cwd=folder) as process:
        try:
            started = Prometheus(port)

            def is_ready() -> bool:
                assert process.poll() is None, log.read_text()
                return started.is_ready()

            wait_until(is_ready, READY_SECONDS, log.read_text)
            yield started
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
