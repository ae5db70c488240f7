"""The command lines of the producers."""

import argparse
import asyncio
import io
import json
from pathlib import Path

import pytest

from producers import generic, images
from windmill.core.errors import WindmillError
from windmill.core.settings import Settings
from windmill.submit.image_listing import BadEntry
from windmill.submit.publishing import PagePublisher
from windmill.submit.registration import RegistrationCounts
from windmill.submit.runs import RunProgress

SETTINGS = Settings.from_env({})


def parsed(*arguments: str) -> argparse.Namespace:
    return generic.parser().parse_args(arguments)


@pytest.mark.parametrize(
    ("flags", "selection"),
    [([], "new"), (["--missing"], "missing"), (["--retry-failed"], "failed"), (["--reprocess"], "all")],
)
def test_each_flag_selects_its_images(flags: list[str], selection: str) -> None:
    assert generic.selection(parsed("--services", "all", *flags)) == selection


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--missing", "--reprocess"], "not allowed with argument"),
        (["--retry-failed", "--missing"], "not allowed with argument"),
        (["--limit", "0"], "'0' is not a whole number above 0"),
        (["--limit", "-1"], "'-1' is not a whole number above 0"),
        (["--limit", "1.5"], "is not a whole number above 0"),
        (["--limit", "²"], "is not a whole number above 0"),
        (["--limit", ""], "is not a whole number above 0"),
        (["--max-queued", "0"], "is not a whole number above 0"),
        (["--service", "all", "extra"], "unrecognized arguments: extra"),
        (["yolov8"], "unrecognized arguments: yolov8"),
    ],
)
def test_wrong_use_ends_with_exit_code_2_and_the_reason(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        parsed(*arguments)
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


async def test_services_must_be_named() -> None:
    with pytest.raises(WindmillError, match="no services named") as refused:
        await generic.main(SETTINGS, asyncio.Event(), parsed())
    assert refused.value.code == "USAGE"


async def test_an_unknown_service_is_reported_before_anything_is_connected() -> None:
    with pytest.raises(WindmillError, match="unknown service or set 'yolo'") as refused:
        await generic.main(SETTINGS, asyncio.Event(), parsed("--services", "yolo"))
    assert "did you mean 'yolov8'?" in refused.value.remedy


async def test_the_services_are_listed_without_a_server(capsys: pytest.CaptureFixture[str]) -> None:
    assert await generic.main(SETTINGS, asyncio.Event(), parsed("--list-services", "--json")) == 0
    listing = json.loads(capsys.readouterr().out)
    assert {"name": "pose", "port": 7786, "category": "spatial_only"} in listing["services"]
    assert [one["name"] for one in listing["services"]] == listing["sets"]["all"]
    assert await generic.main(SETTINGS, asyncio.Event(), parsed("--list-services")) == 0
    assert "yolov8" in capsys.readouterr().out


def test_ids_are_read_one_a_line_and_blank_lines_do_not_count(tmp_path: Path) -> None:
    file = tmp_path / "ids"
    file.write_text("1\n\n  17 \r\n9223372036854775807")
    assert list(generic.read_ids(file)) == [1, 17, 2**63 - 1]


def test_ids_are_read_from_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("3\n4\n"))
    assert list(generic.read_ids(Path("-"))) == [3, 4]


@pytest.mark.parametrize("line", ["x", "-1", "1.0", "1,2", "٣", "9223372036854775808", "9" * 5000, "\ufeff1"])
def test_a_line_that_is_no_id_is_reported_with_its_number(tmp_path: Path, line: str) -> None:
    file = tmp_path / "ids"
    file.write_text(f"1\n{line}\n")
    with pytest.raises(WindmillError, match=r"ids, line 2: .* is not an image id") as refused:
        list(generic.read_ids(file))
    assert refused.value.code == "USAGE"
    assert len(refused.value.message) < 300


@pytest.mark.parametrize("kind", ["missing", "folder", "no text"])
def test_an_unreadable_file_of_ids_is_a_usage_error(tmp_path: Path, kind: str) -> None:
    file = tmp_path / "ids"
    if kind == "folder":
        file.mkdir()
    if kind == "no text":
        file.write_bytes(b"1\n\xff\n")
    with pytest.raises(WindmillError, match=f"--image-ids {file}"):
        list(generic.read_ids(file))


def walked() -> PagePublisher:
    walk = PagePublisher(RunProgress(7, until=100, last=42), window=1, limit=None, on_images=lambda _: None)
    walk.images = 1500
    walk.jobs_by_service.update({"clip": 1500, "ocr": 2})
    walk.unknown_ids = [5, 6]
    return walk


def test_the_summary_counts_jobs_and_images(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    generic.print_summary(walked(), parsed("--services", "all"), interrupted=False)
    assert capsys.readouterr().out.splitlines()[-1] == "published 1,502 jobs for 1,500 images"
    assert caplog.messages == ["no such images"]


def test_the_summary_of_an_interrupted_run_says_how_to_continue(capsys: pytest.CaptureFixture[str]) -> None:
    generic.print_summary(walked(), parsed("--services", "all"), interrupted=True)
    assert "stopped at image 42; the same command continues from there" in capsys.readouterr().out


def test_the_summary_for_programs_is_json_and_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    generic.print_summary(walked(), parsed("--services", "all", "--json", "--dry-run"), interrupted=False)
    assert json.loads(capsys.readouterr().out) == {
        "run_id": 7,
        "images": 1500,
        "jobs": 1502,
        "jobs_by_service": {"clip": 1500, "ocr": 2},
        "unknown_images": 2,
        "dry_run": True,
        "interrupted": False,
    }


def test_registering_needs_a_path(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        images.parser().parse_args([])
    assert ended.value.code == 2
    assert "PATH" in capsys.readouterr().err


async def test_a_missing_path_is_reported_before_anything_is_connected(tmp_path: Path) -> None:
    (tmp_path / "a.txt").touch()
    arguments = images.parser().parse_args([str(tmp_path / "a.txt"), str(tmp_path / "missing")])
    with pytest.raises(WindmillError, match="there is no file or folder"):
        await images.main(SETTINGS, asyncio.Event(), arguments)


def test_the_first_skipped_entries_are_named_on_standard_error(
    capsys: pytest.CaptureFixture[str],
) -> None:
    tally = RegistrationCounts(registered=1200, known=3, bad=[BadEntry("a.jpg", "is empty")], bad_count=5)
    images.print_summary(tally, as_json=False)
    said = capsys.readouterr()
    assert said.out == "1,200 registered, 3 known already, 5 bad\n"
    assert said.err == "skipped a.jpg: is empty\nskipped 4 more\n"
    images.print_summary(tally, as_json=True)
    assert json.loads(capsys.readouterr().out) == {
        "registered": 1200,
        "known": 3,
        "joined_group": 0,
        "copies": 0,
        "bad": 5,
        "bad_entries": [{"name": "a.jpg", "reason": "is empty"}],
        "ignored": {},
    }
