"""The monitoring queries as their users run them: whole files, under psql."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from dev.servers.__main__ import client_environment
from dev.servers.postgres_programs import newest
from windmill.core.settings import ROOT, Settings

pytestmark = pytest.mark.database

MONITORING = sorted((ROOT / "sql" / "monitoring").glob("*.sql"))
OF_THE_USER = [
    "SELECT service, COUNT(*), COUNT(*) FILTER (WHERE status = 'success') as success_count"
    " FROM results GROUP BY service;",
    "SELECT COUNT(*) as total_merged_boxes FROM merged_boxes;",
    "SELECT COUNT(*) as total_enrichments FROM postprocessing;",
]


def psql(environ: Mapping[str, str], script: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [newest().path("psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1", "-A", "-t", "-F", "|"],
        input=script,
        text=True,
        capture_output=True,
        cwd=ROOT,
        env={**os.environ, **client_environment(Settings.from_env(environ))},
        timeout=60,
        check=False,
    )


@pytest.fixture
def filled(environ: dict[str, str]) -> dict[str, str]:
    """Three images: two with two results each, one of them a failure, and one that waits. A worker that was lost."""
    ran = psql(
        environ,
        """
        INSERT INTO images (image_filename, image_path)
        SELECT n || '.jpg', '/pictures/' || n || '.jpg' FROM generate_series(1, 3) n;
        INSERT INTO results (image_id, service, data, status, processing_time)
        SELECT n, s, '{}', 'success', 0.1 FROM generate_series(1, 2) n, unnest(ARRAY['yolov8', 'clip']) s;
        UPDATE results SET status = 'error', error_code = 'IMAGE_NOT_FOUND', data = NULL
        WHERE image_id = 2 AND service = 'clip';
        INSERT INTO runs (services, selection, first_image_id, until_image_id, last_image_id)
        VALUES ('{yolov8}', 'new', 0, 2, 1);
        INSERT INTO stale (stage, image_id) VALUES ('merge', 1);
        INSERT INTO merges VALUES (1, '{1}', '{yolov8}', '{}', '{}', 0, 1, 'of the farm');
        INSERT INTO consensus (image_id, consensus_data, source_result_ids) VALUES (1, '{"votes": {"consensus":
            [{"emoji": "🐶", "probability": 0.9, "votes": 2}]}}', '{1}');
        INSERT INTO image_search (image_id, sources, version, labels, label_p, colours, text)
        VALUES (1, 0, 1, '{}', '{}', '{}', '');
        INSERT INTO postprocessing (image_id, box_key, service, status) VALUES (1, 'a', 'colors', 'success');
        INSERT INTO workers
        SELECT gen_random_uuid(), 'clip', 'w', 'host', 1, now(), now() - interval '61 seconds', NULL, NULL,
               1, 1, 0, 0, 0.5, 0, 1, 2, false, 'open', 'SERVICE_UNREACHABLE: it is away';
        """,
    )
    assert ran.returncode == 0, ran.stderr
    return environ


@pytest.mark.parametrize("file", MONITORING, ids=lambda file: file.stem)
def test_each_file_runs_as_it_is(file: Path, filled: dict[str, str]) -> None:
    ran = psql(filled, file.read_text())
    assert ran.returncode == 0, ran.stderr
    assert ran.stderr == ""
    assert ran.stdout.strip(), f"{file.name} says nothing of a database with rows"


@pytest.mark.parametrize(
    ("query", "answer"),
    [(OF_THE_USER[0], {"yolov8|2|2", "clip|2|1"}), (OF_THE_USER[1], {"0"}), (OF_THE_USER[2], {"1"})],
)
def test_the_three_well_known_queries_answer(query: str, answer: set[str], filled: dict[str, str]) -> None:
    ran = psql(filled, query)
    assert set(ran.stdout.split()) == answer


def test_the_well_known_queries_stand_in_the_files() -> None:
    text = "\n".join(file.read_text() for file in MONITORING)
    assert [query for query in OF_THE_USER if query not in text] == []


def test_the_command_for_a_prompt_finds_the_database(environ: dict[str, str]) -> None:
    asked = [sys.executable, "-m", "dev.servers", "psql", "-X", "-A", "-t", "-c", "SELECT current_database()"]
    ran = subprocess.run(
        asked, text=True, capture_output=True, cwd=ROOT, env={**os.environ, **environ}, timeout=60, check=False
    )
    assert (ran.returncode, ran.stdout.strip()) == (0, environ["DB_NAME"]), ran.stderr


def test_each_file_begins_with_the_question_it_answers() -> None:
    assert [file.name for file in MONITORING if "?" not in file.read_text().splitlines()[0]] == []


def test_a_worker_that_is_silent_for_a_minute_is_shown_as_lost(filled: dict[str, str]) -> None:
    assert psql(filled, (ROOT / "sql" / "monitoring" / "workers.sql").read_text()).stdout.startswith(
        "clip|w|host|1|lost|"
    )
    assert psql(filled, (ROOT / "sql" / "monitoring" / "fleet.sql").read_text()).stdout == "clip|0|1|||0|\n"


def test_the_quick_counts_say_what_counting_says(filled: dict[str, str]) -> None:
    ran = psql(filled, (ROOT / "sql" / "monitoring" / "counts.sql").read_text())
    assert ran.stdout.split() == ["clip|1|1", "yolov8|2|0"]


def test_times_are_told_to_the_millisecond(filled: dict[str, str]) -> None:
    psql(
        filled,
        "UPDATE results SET processing_time = 0.28600001335144043, submitted_at = result_created - '2 s'::interval",
    )
    ran = psql(filled, (ROOT / "sql" / "monitoring" / "times.sql").read_text())
    assert "yolov8|0.286 0.286 0.286|2.000" in ran.stdout.split("\n")


def test_a_picture_that_fails_everywhere_is_one_row(filled: dict[str, str]) -> None:
    psql(filled, "UPDATE results SET status = 'error', error_code = 'IMAGE_NOT_FOUND' WHERE image_id = 2")
    ran = psql(filled, (ROOT / "sql" / "monitoring" / "failed_images.sql").read_text())
    assert [line.split("|")[:4] for line in ran.stdout.splitlines()] == [["2", "2.jpg", "2", "{IMAGE_NOT_FOUND}"]]
