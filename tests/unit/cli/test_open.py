"""The command that opens pages."""

import argparse
from dataclasses import replace

import pytest

from windmill.cli.open_page import base_of, open_page, page_of
from windmill.core.errors import WindmillError
from windmill.core.settings import Settings, defaults

SETTINGS = Settings.from_env(defaults())
JOB = "01234567-89ab-cdef-0123-456789abcdef"


@pytest.mark.parametrize(
    ("what", "path"),
    [
        ("overview", "/ui/"),
        ("failures", "/ui/failures"),
        ("17", "/ui/images/17"),
        (JOB, f"/ui/jobs/{JOB}"),
        ("label:dog -person", "/ui/images?query=label%3Adog+-person"),
    ],
)
def test_a_page_an_image_a_job_and_a_query_have_an_address(what: str, path: str) -> None:
    assert page_of(what) == path


@pytest.mark.parametrize(
    ("changes", "address"),
    [
        ({}, "http://127.0.0.1:8000"),
        ({"gateway_host": "0.0.0.0", "gateway_port": 9000}, "http://127.0.0.1:9000"),
        ({"gateway_host": "[fd00::1]"}, "http://[fd00::1]:8000"),
        ({"windmill_url": "https://fleet.example/"}, "https://fleet.example"),
    ],
)
def test_the_gateway_is_that_of_the_settings(changes: dict[str, object], address: str) -> None:
    assert base_of(replace(SETTINGS, **changes)) == address  # type: ignore[arg-type] # fields by their names


def test_a_port_that_is_chosen_at_each_start_has_no_address() -> None:
    with pytest.raises(WindmillError, match="GATEWAY_PORT=0"):
        base_of(replace(SETTINGS, gateway_port=0, windmill_url=""))


@pytest.mark.parametrize(("only_print", "opened"), [(False, ["http://127.0.0.1:8000/ui/jobs"]), (True, [])])
def test_the_address_is_printed_and_opened_unless_only_that_is_wanted(
    only_print: bool, opened: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    seen: list[str] = []
    assert open_page(SETTINGS, argparse.Namespace(what="jobs", only_print=only_print), seen.append) == 0
    assert capsys.readouterr().out == "http://127.0.0.1:8000/ui/jobs\n"
    assert seen == opened
