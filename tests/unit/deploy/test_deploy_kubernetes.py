"""The manifests of deploy/kubernetes: against Kubernetes' own schemas, against service_config.json, and as kubectl
joins them with the example's patches.
"""

import importlib.util
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest

from deploy.kubernetes.__main__ import PROGRAMS, STEP_QUERY, manifests
from tests.integration.fleet import unavailable
from tests.unit.manifests import DEPLOY, Document, document, documents
from windmill import broker
from windmill.core.services import Service, load_fleet
from windmill.core.settings import ROOT, Settings, defaults
from windmill.core.stages import STAGES

BASE, EXAMPLE = DEPLOY / "kubernetes" / "base", DEPLOY / "kubernetes" / "example"
VERSIONS = ["1.29.0", kubernetes_validate.latest_version()]
"""Sidecars began with the first."""
SERVICES = list(load_fleet(ROOT / "service_config.json").services.values())
TEXT = {"type": "string"}
COUNT = {"type": "integer", "minimum": 0}


def closed(required: list[str], **properties: Any) -> dict[str, Any]:  # noqa: ANN401 - a JSON schema
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


RABBITMQ = closed(
    ["protocol", "queueName", "mode", "value"],
    protocol={"enum": ["auto", "http", "amqp"]},
    queueName=TEXT,
    mode={"enum": ["QueueLength", "MessageRate"]},
    value=TEXT,
    activationValue=TEXT,
    vhostName=TEXT,
    excludeUnacknowledged={"enum": ["true", "false"]},
)
POSTGRESQL = closed(["query", "targetQueryValue"], query=TEXT, targetQueryValue=TEXT, activationTargetQueryValue=TEXT)


def trigger(kind: str, metadata: Document) -> Document:
    return closed(
        ["type", "metadata"],
        type={"const": kind},
        metadata=metadata,
        authenticationRef=closed(["name"], name=TEXT),
    )


KEDA = {
    "ScaledObject": closed(
        ["scaleTargetRef", "triggers"],
        scaleTargetRef=closed(["name"], name=TEXT, kind=TEXT, apiVersion=TEXT),
        pollingInterval=COUNT,
        cooldownPeriod=COUNT,
        minReplicaCount=COUNT,
        maxReplicaCount=COUNT,
        fallback=closed(["failureThreshold", "replicas"], failureThreshold=COUNT, replicas=COUNT),
        triggers={
            "type": "array",
            "minItems": 1,
            "items": {"oneOf": [trigger("rabbitmq", RABBITMQ), trigger("postgresql", POSTGRESQL)]},
        },
    ),
    "TriggerAuthentication": closed(
        ["secretTargetRef"],
        secretTargetRef={
            "type": "array",
            "items": closed(["parameter", "name", "key"], parameter=TEXT, name=TEXT, key=TEXT),
        },
    ),
}
"""What KEDA documents of version v1alpha1, as far as it is used here."""


def objects(folder: Path) -> list[Document]:
    """What a folder adds: not how kustomize joins it, and not patches of what stands elsewhere."""
    kustomization = document(folder / "kustomization.yaml")
    files = [folder / name for name in kustomization["resources"] if name.endswith(".yaml")]
    return [one for file in files for one in documents(file.read_text(encoding="utf-8"))]


def named(kind: str, found: list[Document]) -> dict[str, Document]:
    return {one["metadata"]["name"]: one for one in found if one["kind"] == kind}


def check(one: Document, version: str) -> None:
    if one["apiVersion"].startswith("keda.sh/"):
        jsonschema.validate(one["spec"], KEDA[one["kind"]])
    else:
        kubernetes_validate.validate(one, version, strict=True)


def environment(deployment: Document) -> dict[str, str]:
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    return {one["name"]: one["value"] for one in container["env"]}


def worker_of(service: Service) -> str:
    return f"worker-{service.name.replace('_', '-')}"


ALL = [*objects(BASE), *objects(PROGRAMS), *objects(EXAMPLE)]
DEPLOYMENTS = named("Deployment", ALL)
SCALED = named("ScaledObject", ALL)
SCALED_BY_QUEUE = sorted(set(SCALED) - {"jobs"})


def test_the_files_of_the_programs_are_what_the_fleet_makes_of_the_templates() -> None:
    """After a change: python -m deploy.kubernetes"""
    files = {file.name: file.read_text(encoding="utf-8") for file in PROGRAMS.iterdir()}
    assert files == manifests(SERVICES)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("one", ALL, ids=lambda one: f"{one['kind']}-{one['metadata']['name']}")
def test_kubernetes_and_keda_take_every_object(one: Document, version: str) -> None:
    check(one, version)


def test_a_field_that_does_not_exist_is_found() -> None:
    (one, *_) = documents((PROGRAMS / "worker-clip.yaml").read_text(encoding="utf-8"))
    one["spec"]["template"]["spec"]["terminationGracePeriod"] = 30
    with pytest.raises(kubernetes_validate.ValidationError):
        check(one, VERSIONS[0])


def test_a_field_that_keda_does_not_know_is_found() -> None:
    one = documents((PROGRAMS / "worker-clip.yaml").read_text(encoding="utf-8"))[-1]
    one["spec"]["triggers"][0]["metadata"]["includeUnacked"] = "true"
    with pytest.raises(jsonschema.ValidationError):
        check(one, VERSIONS[0])


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)
def test_every_service_has_one_worker_that_comes_and_goes_with_its_queue(service: Service) -> None:
    assert environment(DEPLOYMENTS[worker_of(service)])["SERVICE_NAME"] == service.name
    scaled = SCALED[worker_of(service)]["spec"]
    assert scaled["scaleTargetRef"]["name"] == worker_of(service)
    assert scaled["minReplicaCount"] == 0
    settings = Settings.from_env({})
    assert [trigger["metadata"]["queueName"] for trigger in scaled["triggers"]] == [
        broker.work_queue(settings, service.name),
        broker.urgent_queue(settings, service.name),
    ]


def test_there_are_no_workers_but_those_of_the_services_and_the_post_processors() -> None:
    stages = {spec.program.replace("_", "-") for spec in STAGES.values()}
    assert set(DEPLOYMENTS) == {worker_of(service) for service in SERVICES} | stages | {"jobs", "gateway"}
    assert set(SCALED) == {worker_of(service) for service in SERVICES} | {"jobs"}


def test_the_worker_of_steps_comes_and_goes_with_what_the_database_says() -> None:
    scaled = SCALED["jobs"]["spec"]
    (asked,) = scaled["triggers"]
    assert (scaled["minReplicaCount"], asked["type"], asked["metadata"]["query"]) == (0, "postgresql", STEP_QUERY)
    assert asked["authenticationRef"]["name"] in named("TriggerAuthentication", ALL)
    assert environment(DEPLOYMENTS["jobs"])["STEPS"] == "all"


@pytest.mark.parametrize("name", SCALED_BY_QUEUE)
def test_jobs_in_hand_count_so_that_a_long_one_keeps_its_worker(name: str) -> None:
    for trigger in SCALED[name]["spec"]["triggers"]:
        assert trigger["metadata"] | {"protocol": "http", "excludeUnacknowledged": "false"} == trigger["metadata"]


def test_a_job_that_waits_for_its_next_try_does_not_outwait_its_worker() -> None:
    longest = max(Settings.from_env({}).retry_delays)
    assert all(one["spec"]["cooldownPeriod"] > 2 * longest for one in SCALED.values())


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.name)
def test_a_pod_is_left_the_time_that_its_slowest_call_may_take(service: Service) -> None:
    deployment = DEPLOYMENTS[worker_of(service)]
    grace = float(environment(deployment)["SHUTDOWN_GRACE_SECONDS"])
    end = deployment["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
    assert service.timeout_seconds < grace < end


@pytest.mark.parametrize("name", sorted(DEPLOYMENTS))
def test_every_deployment_starts_a_program_that_is_there_with_settings_that_are_known(name: str) -> None:
    (container,) = DEPLOYMENTS[name]["spec"]["template"]["spec"]["containers"]
    assert importlib.util.find_spec(container["command"][-1]) is not None
    assert environment(DEPLOYMENTS[name]).keys() <= defaults().keys()
    Settings.from_env(environment(DEPLOYMENTS[name]))


@pytest.mark.parametrize("name", sorted(DEPLOYMENTS))
def test_no_pod_may_more_than_it_needs(name: str) -> None:
    pod = DEPLOYMENTS[name]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["automountServiceAccountToken"] is False
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert "memory" in container["resources"]["limits"]
    images = [mount for mount in container["volumeMounts"] if mount["name"] == "images"]
    writable = [mount.get("subPath") for mount in images if not mount.get("readOnly")]
    assert writable == (["uploads"] if name == "gateway" else [])


def test_every_deployment_has_a_disruption_budget_that_lets_a_node_be_emptied() -> None:
    budgets = named("PodDisruptionBudget", ALL)
    assert set(budgets) == set(DEPLOYMENTS)
    assert {one["spec"]["maxUnavailable"] for one in budgets.values()} == {1}


def test_the_network_lets_workers_reach_every_service() -> None:
    (policy,) = named("NetworkPolicy", ALL).values()
    open_ports = [port for rule in policy["spec"]["egress"] for port in rule["ports"]]
    for service in SERVICES:
        assert any(one["port"] <= service.port <= one.get("endPort", one["port"]) for one in open_ports), service.name


def test_no_manifest_holds_a_secret() -> None:
    assert named("Secret", ALL) == {}
    for folder in (BASE, EXAMPLE):
        (made,) = document(folder / "kustomization.yaml")["configMapGenerator"]
        found = dict(literal.split("=", 1) for literal in made["literals"])
        assert found.keys() <= defaults().keys() - {"QUEUE_PASSWORD", "DB_PASSWORD"}


@cache
def built(folder: Path) -> list[Document]:
    """What kubectl would send to a cluster."""
    program = shutil.which("kubectl")
    if program is None:
        unavailable("kubectl is not here; each file alone is checked all the same")
        raise AssertionError  # the line above never returns
    made = subprocess.run([program, "kustomize", folder], capture_output=True, text=True, timeout=60)
    assert made.returncode == 0, made.stderr
    return documents(made.stdout)


@pytest.mark.parametrize(
    "version",
    [pytest.param(VERSIONS[0], marks=pytest.mark.slow(reason="4 s each")), VERSIONS[1]],
)
@pytest.mark.parametrize("folder", [BASE, EXAMPLE], ids=["base", "example"])
def test_what_kubectl_joins_is_taken_as_a_whole(folder: Path, version: str) -> None:
    found = built(folder)
    assert set(named("Deployment", found)) == set(DEPLOYMENTS)
    for one in found:
        check(one, version)


def test_the_example_sets_every_image_and_leaves_no_name_of_a_server_open() -> None:
    found = built(EXAMPLE)
    for deployment in named("Deployment", found).values():
        (container,) = deployment["spec"]["template"]["spec"]["containers"]
        assert container["image"] == "registry.example/windmill:0.1.0"
    (settings,) = named("ConfigMap", found).values()
    assert settings["data"].keys() >= {"QUEUE_HOST", "DB_HOST", "SERVICE_HOST", "IMAGE_ROOT", "METRICS_PORT"}


def test_the_examples_gpu_is_held_only_while_there_are_jobs() -> None:
    found = built(EXAMPLE)
    deployment = named("Deployment", found)["worker-yolov8"]
    (service,) = deployment["spec"]["template"]["spec"]["initContainers"]
    assert service["resources"]["limits"]["nvidia.com/gpu"] == 1
    assert service["restartPolicy"] == "Always", "a sidecar ends after the worker"
    assert environment(deployment)["SERVICE_HOST"] == "localhost"
    scaled = named("ScaledObject", found)["worker-yolov8"]["spec"]
    assert (scaled["minReplicaCount"], scaled["maxReplicaCount"]) == (0, 4)


def test_the_examples_workers_and_no_others_may_run_on_spot_machines() -> None:
    for name, deployment in named("Deployment", built(EXAMPLE)).items():
        keys = {one["key"] for one in deployment["spec"]["template"]["spec"].get("tolerations", [])}
        assert ("windmill/spot" in keys) == name.startswith("worker-")
