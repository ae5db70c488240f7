"""Makes base/programs/ anew from service_config.json and the templates here: python -m deploy.kubernetes"""

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path
from string import Template

from windmill.core.services import Service, load_fleet
from windmill.core.settings import Settings
from windmill.core.stages import STAGES, StageSpec
from windmill.process.runner import DONE, command

HERE = Path(__file__).parent
PROGRAMS = HERE / "base" / "programs"

FINISH_SECONDS = 10
"""Beside an answer that takes all of its time: committing the row, handing back the rest."""
END_SECONDS = 20
"""Beside that: closing connections, before Kubernetes kills the process."""
JOBS_PER_CALL = 100
"""A further worker is worth its start when so many jobs wait for each call that one makes at a time."""
TASKS_PER_WORKER = 4
STEP_GRACE_SECONDS = 300
"""What a task has not done by then is begun anew elsewhere."""
UPLOADS = "/images/uploads"
"""Where images go that are sent in: the gateway alone writes there."""
GATEWAY_ADDRESS = {"GATEWAY_HOST": "0.0.0.0", "GATEWAY_PORT": '"8000"', "GATEWAY_UPLOADS_DIR": UPLOADS}  # noqa: S104 - a pod is reached from outside
GATEWAY_GRACE_SECONDS = 65
"""Longer than a client may wait for the end of a job."""
STEP_QUERY = "SELECT coalesce(sum(claimable + unplanned + running), 0)::integer FROM step_work"
"""The same numbers as those of the metric windmill_step_work."""


def manifests(services: Iterable[Service]) -> dict[str, str]:
    """The files of base/programs/, by name."""
    files = {f"worker-{service.name}.yaml": _worker(service, _grace([service])) for service in services}
    shown = [service for service in services if service.enriches]
    files |= {f"{spec.program}.yaml": _postprocessor(spec, _grace(shown)) for spec in _stages()}
    files |= {"gateway.yaml": _gateway(), "jobs.yaml": _jobs()}
    listed = "".join(f"  - {name}\n" for name in files)
    head = "# Made by python -m deploy.kubernetes\napiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n"
    return files | {"kustomization.yaml": f"{head}resources:\n{listed}"}


def _worker(service: Service, grace: int) -> str:
    at_a_time = service.concurrency if isinstance(service.concurrency, int) else 1
    values = {
        "name": _named(f"worker-{service.name}"),
        "component": "worker",
        "module": "workers.generic",
        "service": service.name,
        "more_env": f"\n            - {{name: SERVICE_NAME, value: {service.name}}}",
        "jobs": str(at_a_time * JOBS_PER_CALL),
        "cpu": "50m",
        "memory": "96Mi",
        "most_memory": "2Gi",
        "scratch": "64Mi",
    }
    return _filled("deployment", values, grace) + _filled("scaling", values, grace)


def _jobs() -> str:
    """One worker for all steps."""
    values = {
        "name": "jobs",
        "component": "jobs",
        "module": "workers.jobs",
        "more_env": "\n            - {name: STEPS, value: all}",
        "query": STEP_QUERY,
        "tasks": str(TASKS_PER_WORKER),
        "cpu": "500m",
        "memory": "512Mi",
        "most_memory": "8Gi",
        "scratch": "16Gi",
    }
    return _filled("deployment", values, STEP_GRACE_SECONDS) + _filled("step_scaling", values, STEP_GRACE_SECONDS)


def _gateway() -> str:
    """The HTTP gateway; any number of them may run."""
    values = {
        "name": "gateway",
        "component": "gateway",
        "module": "gateway",
        "more_env": "".join(f"\n            - {{name: {name}, value: {one}}}" for name, one in GATEWAY_ADDRESS.items()),
        "more_ports": ", {name: http, containerPort: 8000}",
        "more_mounts": f"\n            - {{name: images, mountPath: {UPLOADS}, subPath: uploads}}",
        "images_read_only": "false",
        "cpu": "100m",
        "memory": "128Mi",
        "most_memory": "1Gi",
        "scratch": "2Gi",
    }
    return _filled("deployment", values, GATEWAY_GRACE_SECONDS) + _filled("service", values, GATEWAY_GRACE_SECONDS)


def _stages() -> list[StageSpec]:
    """In the order of their files."""
    return sorted(STAGES.values(), key=lambda spec: spec.program)


def _postprocessor(spec: StageSpec, grace: int) -> str:
    values = {
        "name": _named(spec.program),
        "component": "postprocessor",
        "module": spec.module,
        "more_env": "",
        "cpu": "200m",
        "memory": "192Mi",
        "most_memory": "2Gi",
        "scratch": "64Mi",
    }
    return _filled("deployment", values, grace)


def _grace(called: Iterable[Service]) -> int:
    """SHUTDOWN_GRACE_SECONDS of a process that calls these services."""
    return round(max(service.timeout_seconds for service in called)) + FINISH_SECONDS


def _named(name: str) -> str:
    """Names in Kubernetes hold no underscore."""
    return name.replace("_", "-")


def _filled(template: str, values: dict[str, str], grace: int) -> str:
    text = (HERE / f"{template}.yaml.template").read_text(encoding="utf-8")
    own = {"more_ports": "", "more_mounts": "", "images_read_only": "true", **values}
    return Template(text).substitute(own, grace=grace, end=grace + END_SECONDS)


def write(settings: Settings) -> int:
    """Replace what is in base/programs/."""
    made = manifests(load_fleet(settings.service_config).services.values())
    for old in PROGRAMS.glob("*.yaml"):
        old.unlink()
    for name, text in made.items():
        (PROGRAMS / name).write_text(text, encoding="utf-8")
    return DONE


if __name__ == "__main__":
    argparse.ArgumentParser(prog="python -m deploy.kubernetes", description=__doc__).parse_args()
    sys.exit(command(write))
