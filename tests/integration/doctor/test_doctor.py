"""The doctor on real servers: a healthy fleet has no problem, and each planted fault is named with its remedy."""

from pathlib import Path

import pytest

from tests.conformance.services.serving import CLOSED_PORT, serving
from tests.integration.doctor.patient import SECRET, SERVICES, Patient
from tests.integration.fleet import Fleet

pytestmark = [pytest.mark.broker, pytest.mark.database]


async def test_a_healthy_fleet_has_no_problem(patient: Patient) -> None:
    await patient.fleet.register_pictures(3)
    report = await patient.examined(IMAGE_ROOT=str(patient.fleet.folder))
    assert (report.problems, report.code) == ([], 0), report.text
    assert {one["area"] for one in report.findings} == {
        "settings",
        "broker",
        "topology",
        "database",
        "services",
        "engines",
        "images",
        "artifacts",
        "video",
        "gateway",
        "machine",
    }
    assert report.of("queues")["found"].startswith("all 12 are as they should be")
    assert report.of("policies")["state"] == "ok"
    assert "stand-in answers" in report.of("yolov8")["found"]
    assert report.of("sample")["found"] == "all 3 that were looked at can be read"


async def test_it_is_shown_to_people_with_a_summary_and_no_colours(patient: Patient) -> None:
    end = await patient.fleet.run("windmill", "doctor", "--services", "clip")
    assert end.code == 0, end.out
    assert end.out.splitlines()[0] == "settings"
    assert "0 problems" in end.out.splitlines()[-1]
    assert "\x1b" not in end.out


async def test_services_whose_ports_were_exchanged_are_named(patient: Patient) -> None:
    patient.listens({"clip": patient.ports["yolov8"], "yolov8": patient.ports["clip"]})
    report = await patient.examined()
    assert report.problems == ["clip", "yolov8"]
    assert "yolo answers at" in report.of("clip")["found"]
    assert "ports were exchanged" in report.of("clip")["found"]
    assert "correct the ports in SERVICE_CONFIG" in report.of("clip")["remedy"]


async def test_a_service_that_is_dead_is_named_and_the_other_is_not(patient: Patient) -> None:
    patient.listens({**patient.ports, "clip": CLOSED_PORT})
    report = await patient.examined()
    assert report.problems == ["clip"]
    assert "nothing listens at 127.0.0.1:1" in report.of("clip")["found"]
    assert report.of("clip")["remedy"].startswith("start the service")


async def test_each_service_is_asked_once_and_shown_no_picture(fleet: Fleet) -> None:
    async with serving(*SERVICES) as services:
        await Patient(fleet, services).examined()
        counted = {name: services.farm.handlers[name].counts.render_json() for name in SERVICES}
    assert [counts["requests"] for counts in counted.values()] == [{"GET /analyze": {"400": 1}}] * 2


async def test_health_is_asked_only_on_demand(patient: Patient) -> None:
    assert "clip health" not in {one["name"] for one in (await patient.examined()).findings}
    assert (await patient.examined("--health")).of("clip health")["found"] == "says that it is well"


@pytest.mark.parametrize(
    ("variables", "problem", "unasked"),
    [
        ({"QUEUE_PASSWORD": SECRET}, ("broker", "connect"), ("topology", "queues")),
        ({"DB_PASSWORD": SECRET}, ("database", "connect"), ("images", "sample")),
        ({"DB_NAME": "nosuchdatabase"}, ("database", "connect"), ("images", "sample")),
        ({"QUEUE_PORT": str(CLOSED_PORT), "QUEUE_MANAGEMENT_PORT": "2"}, ("broker", "connect"), ("topology", "queues")),
        ({"DB_PORT": str(CLOSED_PORT)}, ("database", "connect"), ("images", "sample")),
    ],
    ids=lambda value: str(value)[:30],
)
async def test_a_server_that_lets_nobody_in_hides_nothing_of_the_others(
    patient: Patient, variables: dict[str, str], problem: tuple[str, str], unasked: tuple[str, str]
) -> None:
    report = await patient.examined(**variables)
    assert report.code == 1
    assert [(one["area"], one["name"]) for one in report.findings if one["state"] == "problem"] == [problem], (
        report.text
    )
    area, name = problem
    assert report.of(name, area)["remedy"]
    assert report.of(unasked[1], unasked[0])["found"].startswith("not asked because")
    assert report.of("clip")["state"] != "problem"


async def test_a_wrong_setting_is_a_finding_and_the_rest_is_asked_all_the_same(patient: Patient) -> None:
    report = await patient.examined(QUEUE_TYPE="quorumm")
    assert report.code == 1
    assert report.problems == ["QUEUE_TYPE"]
    assert report.of("QUEUE_TYPE")["found"] == "'quorumm': must be one of quorum, classic"
    assert report.of("broker")["found"] == "not asked because settings are wrong: QUEUE_TYPE"
    assert report.of("migrations")["state"] == "ok"


async def test_an_unknown_service_is_a_mistake_of_the_users(patient: Patient) -> None:
    report = await patient.examined("--services", "yolo")
    assert (report.code, report.findings) == (2, [])
    assert "unknown service or set 'yolo'" in report.text


async def test_images_that_are_gone_are_told_with_an_example(patient: Patient) -> None:
    folder = patient.fleet.folder
    await patient.fleet.register_pictures(2)
    (folder / "pictures" / "1.jpg").unlink()
    report = await patient.examined(IMAGE_ROOT=str(folder))
    assert report.code == 0
    assert report.of("sample")["state"] == "warning"
    assert "1 of 2 cannot be read (IMAGE_NOT_FOUND 1); image 2" in report.of("sample")["found"]
    gone = await patient.examined(IMAGE_ROOT=str(folder / "gone"))
    assert gone.problems == ["IMAGE_ROOT"]


async def test_a_file_of_settings_with_passwords_that_everybody_may_read_is_a_warning(patient: Patient) -> None:
    file = readable(patient.fleet.folder / "readable.env")
    report = await patient.examined(ENV_FILE=str(file))
    assert report.of("passwords")["state"] == "warning"
    assert report.of("passwords")["remedy"] == f"chmod 600 {file}"


def readable(file: Path) -> Path:
    file.write_text("DB_PASSWORD=x\n")
    file.chmod(0o644)
    return file
