"""deploy/compose.yaml, the image that it builds, and what Prometheus is told of it."""

import fnmatch
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from dev import third_party
from tests.unit.manifests import DEPLOY, document
from windmill.core.services import load_fleet
from windmill.core.settings import ROOT, Settings, defaults, misspelt
from windmill.core.stages import STAGES

FILE = DEPLOY / "compose.yaml"
COMPOSE = document(FILE)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
WORKERS = {name: one for name, one in SERVICES.items() if name.startswith("worker-")}
POSTPROCESSORS = {spec.program.replace("_", "-"): spec.module for spec in STAGES.values()}
OURS = {*WORKERS, *POSTPROCESSORS, "jobs", "gateway", "setup", "farm"}
FARM_LOCK = "requirements-farm.lock"
DOCKERFILE = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")


def seconds(duration: str) -> int:
    return int(duration.removesuffix("s"))


def validate(file: Path) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).with_name("check-jsonschema")
    arguments = ["--builtin-schema", "vendor.compose-spec", str(file)]
    return subprocess.run([str(program), *arguments], capture_output=True, text=True, timeout=60)


def test_the_file_is_what_compose_takes() -> None:
    checked = validate(FILE)
    assert checked.returncode == 0, checked.stdout


def test_a_key_that_compose_does_not_know_is_found(tmp_path: Path) -> None:
    wrong = tmp_path / "compose.yaml"
    wrong.write_text("services: {one: {image: x, restrat: always}}\n")
    assert validate(wrong).returncode != 0


def test_every_stage_has_one_post_processor() -> None:
    run = {name: one["command"][-1] for name, one in SERVICES.items() if "postprocessors." in str(one.get("command"))}
    assert run == POSTPROCESSORS


def test_every_service_has_one_worker() -> None:
    fleet = load_fleet(ROOT / "service_config.json")
    assert sorted(one["environment"]["SERVICE_NAME"] for one in WORKERS.values()) == sorted(fleet.services)


@pytest.mark.parametrize("name", sorted(WORKERS))
def test_a_worker_is_left_the_time_that_its_slowest_call_may_take(name: str) -> None:
    environment = WORKERS[name]["environment"]
    service = load_fleet(ROOT / "service_config.json").services[environment["SERVICE_NAME"]]
    grace = int(environment["SHUTDOWN_GRACE_SECONDS"])
    assert service.timeout_seconds < grace < seconds(WORKERS[name]["stop_grace_period"])


@pytest.mark.parametrize("name", sorted(OURS - {"farm"}))
def test_what_a_program_is_told_are_settings_that_it_knows(name: str) -> None:
    environment = SERVICES[name]["environment"]
    assert environment.keys() <= defaults().keys()
    Settings.from_env(environment | {"SERVICE_HOST": "farm"})


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_nothing_is_published_beyond_this_machine(name: str) -> None:
    assert all(port.startswith("127.0.0.1:") for port in SERVICES[name].get("ports", []))
    assert "network_mode" not in SERVICES[name]


@pytest.mark.parametrize("name", sorted(OURS))
def test_our_programs_cannot_change_their_own_files_nor_gain_rights(name: str) -> None:
    one = SERVICES[name]
    assert one["read_only"] is True
    assert one["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in one["security_opt"]
    writable = [volume for volume in one.get("volumes", []) if not volume.endswith(":ro")]
    uploads = ["${IMAGE_ROOT}/uploads:${IMAGE_ROOT}/uploads"] if name == "gateway" else []
    assert writable == uploads + (["artifacts:/artifacts"] if name in ("jobs", "gateway") else [])


def test_a_password_has_no_default_and_is_asked_for() -> None:
    asked = re.findall(r"\$\{(\w*PASSWORD)([^}]*)\}", FILE.read_text(encoding="utf-8"))
    assert {name for name, _ in asked} == {"QUEUE_PASSWORD", "DB_PASSWORD", "GRAFANA_PASSWORD"}
    assert {rest.partition(" ")[0] for _, rest in asked} == {":?must"}


def test_every_variable_that_is_asked_for_may_stand_in_the_file_of_settings() -> None:
    asked = set(re.findall(r"(?<!\$)\$\{(\w+)", FILE.read_text(encoding="utf-8")))
    assert asked - defaults().keys() == {"GRAFANA_PASSWORD"}
    assert misspelt(asked) == []


def test_a_fleet_without_jobs_the_farm_or_monitoring_starts_none_of_them() -> None:
    profiles = {name: one["profiles"] for name, one in SERVICES.items() if "profiles" in one}
    assert profiles == {
        "jobs": ["jobs"],
        "gateway": ["gateway"],
        "farm": ["farm"],
        "prometheus": ["monitoring"],
        "grafana": ["monitoring"],
    }


@pytest.mark.parametrize("name", sorted({*WORKERS, *POSTPROCESSORS, "jobs", "gateway"}))
def test_programs_begin_when_tables_and_queues_are_there(name: str) -> None:
    assert SERVICES[name]["depends_on"] == {"setup": {"condition": "service_completed_successfully"}}


@pytest.mark.parametrize("name", sorted(OURS))
def test_an_image_is_built_from_a_stage_that_the_dockerfile_has(name: str) -> None:
    build = SERVICES[name]["build"]
    stages = re.findall(r"^FROM \S+ AS (\S+)$", DOCKERFILE, re.MULTILINE)
    assert build.get("target", stages[-1]) == ("farm" if name == "farm" else "windmill")
    assert (DEPLOY / build["context"] / build["dockerfile"]).is_file()


def allowed() -> list[str]:
    """What .dockerignore lets into an image."""
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert "*" in lines, "all is ignored that is not named"
    return [line.removeprefix("!") for line in lines if line.startswith("!")]


def test_an_image_gets_what_an_installed_machine_gets_and_the_farm() -> None:
    script = (DEPLOY / "install.sh").read_text(encoding="utf-8")
    match = re.search(r'^parts="(.*)"$', script, re.MULTILINE)
    assert match
    locks = {"requirements-gateway.lock", "requirements-farm.lock"}
    assert {*match[1].split(), "dev", *locks} - {"docs", "README.md"} == set(allowed())


@pytest.mark.parametrize("name", [".env", "var", "tests", ".git", ".venv", "bench", "deploy"])
def test_neither_passwords_nor_data_nor_tests_get_into_an_image(name: str) -> None:
    assert not any(fnmatch.fnmatch(name, pattern) for pattern in allowed())


def test_what_the_dockerfile_copies_is_let_in() -> None:
    copied = re.findall(r"^COPY (?!--from)(\S+) ", DOCKERFILE, re.MULTILINE)
    assert set(copied) == {".", "requirements-gateway.lock", "requirements-farm.lock"}


def test_the_image_runs_as_nobody_in_particular_with_libraries_by_their_hashes() -> None:
    last = DOCKERFILE[DOCKERFILE.rindex("FROM ") :]
    assert re.findall(r"^USER (.*)$", last, re.MULTILINE) == ["10001:10001"]
    assert "--from=libraries /venv" in last
    assert DOCKERFILE.count("pip install") == DOCKERFILE.count("--require-hashes")


def test_the_farm_image_gets_the_libraries_of_the_fleet_and_opencv_and_no_tests() -> None:
    fleet, farm = (set(third_party.locked((ROOT / lock).read_text())) for lock in ("requirements.lock", FARM_LOCK))
    assert fleet < farm
    assert {package.name for package in farm - fleet} == {"opencv-python-headless"}


def test_health_is_asked_where_programs_tell_it() -> None:
    last = DOCKERFILE[DOCKERFILE.rindex("FROM ") :]
    (port,) = re.findall(r"METRICS_PORT=(\d+)", last)
    assert "/readyz" in last
    assert {SERVICES[name]["environment"]["METRICS_PORT"] for name in OURS - {"farm"}} == {port}


def test_prometheus_asks_every_program_of_the_fleet() -> None:
    jobs = {job["job_name"]: job for job in document(DEPLOY / "prometheus" / "prometheus.yml")["scrape_configs"]}
    (found,) = jobs["windmill"]["dns_sd_configs"]
    assert set(found["names"]) == {*WORKERS, *POSTPROCESSORS, "jobs", "gateway"}
    assert {SERVICES[name]["environment"]["METRICS_PORT"] for name in found["names"]} == {str(found["port"])}
