"""Every way to fail has a code, a retry class and a remedy."""

import ast
from http import HTTPStatus
from typing import get_args

import pytest

from windmill.core.errors import (
    ERROR_CODES,
    MAX_MESSAGE,
    Code,
    ConfigInvalid,
    Culprit,
    Problem,
    Retry,
    WindmillError,
    unexpected,
    unreadable_file,
)
from windmill.core.settings import ROOT

CODES = get_args(Code)


def test_what_an_error_quotes_of_others_is_bounded() -> None:
    error = WindmillError("IMAGE_NOT_FOUND", "x" * 10_000_000)
    assert len(error.message) < MAX_MESSAGE + 100
    assert len(str(error)) < MAX_MESSAGE + 1_000


def test_every_code_has_its_kind_and_there_are_no_others() -> None:
    assert set(ERROR_CODES) == set(CODES)


@pytest.mark.parametrize("code", CODES)
def test_every_code_says_what_the_operator_does(code: Code) -> None:
    assert len(ERROR_CODES[code].remedy) > 10
    assert ERROR_CODES[code].retry in get_args(Retry)


@pytest.mark.parametrize("code", CODES)
def test_an_error_is_one_line_with_code_message_and_remedy(code: Code) -> None:
    said = str(WindmillError(code, "what happened"))
    assert said == f"{code}: what happened. Remedy: {ERROR_CODES[code].remedy}"
    assert "\n" not in said


def test_an_outage_of_anything_outside_is_never_the_fault_of_a_job() -> None:
    for code in ("SERVICE_UNREACHABLE", "SERVICE_OVERLOADED", "DATABASE_UNAVAILABLE", "BROKER_UNAVAILABLE"):
        assert ERROR_CODES[code].retry == "pause"


def test_what_is_wrong_with_the_image_or_the_message_is_not_tried_again() -> None:
    hopeless = [code for code in ERROR_CODES if code.startswith("IMAGE_") or code == "BAD_MESSAGE"]
    assert len(hopeless) == 6
    assert {ERROR_CODES[code].retry for code in hopeless} == {"never"}


def test_the_place_that_knows_better_overrides_remedy_and_retry_class() -> None:
    error = WindmillError("IMAGE_NOT_FOUND", "the host is away", "wait", retry="later")
    assert (error.remedy, error.retry) == ("wait", "later")


def test_an_invalid_configuration_names_each_problem_on_a_line_of_its_own() -> None:
    error = ConfigInvalid([Problem("QUEUE_PORT", "x", "must be a number"), Problem("DB_HOST", "", "must not be empty")])
    assert str(error).splitlines() == [
        "CONFIG_INVALID: 2 problem(s) in the configuration",
        "  QUEUE_PORT='x': must be a number",
        "  DB_HOST='': must not be empty",
    ]
    assert error.code == "CONFIG_INVALID"
    assert error.retry == "never"


def test_a_fault_of_ours_has_a_code_too_and_may_pass() -> None:
    error = unexpected(ZeroDivisionError("oops"))
    assert (error.code, error.retry) == ("DEFECT", "later")
    assert "ZeroDivisionError('oops')" in error.message


REFUSED_ALL_THE_SAME = {"CHECKSUM_MISSING", "CHECKSUM_MISMATCH", "LICENSE_UNKNOWN", "CANCELLED"}
"""A request for what may not be used, or no longer wanted, is refused, though who asks is not to blame."""


def test_every_code_says_whose_doing_it_is_how_a_command_ends_and_what_a_request_is_answered() -> None:
    for code, kind in ERROR_CODES.items():
        assert kind.culprit in get_args(Culprit), code
        assert kind.exit_code in {1, 2, 70, 75}, code
        refused = kind.culprit == "input" or code in REFUSED_ALL_THE_SAME
        assert HTTPStatus(kind.http_status) in (range(400, 500) if refused else range(500, 600)), code


REFUSED_REQUESTS = {
    "AUTH_MISSING", "AUTH_INVALID", "AUTH_EXPIRED", "PERMISSION_DENIED", "CONTRACT_MISMATCH", "METHOD_NOT_ALLOWED",
    "PAYLOAD_TOO_LARGE", "MEDIA_TYPE_UNSUPPORTED", "RANGE_NOT_SATISFIABLE", "PRECONDITION_REQUIRED",
    "PRECONDITION_FAILED", "IDEMPOTENCY_MISMATCH", "INSUFFICIENT_FUNDS",
}  # fmt: skip
"""What only requests over HTTP are answered with."""


def test_the_exit_code_tells_what_may_do_later_from_what_never_will() -> None:
    assert {code for code, kind in ERROR_CODES.items() if kind.exit_code == 75} == {"BUSY", "RATE_LIMIT_EXCEEDED"}
    assert {code for code, kind in ERROR_CODES.items() if kind.exit_code == 70} == {"DEFECT"}
    mistakes = {code for code, kind in ERROR_CODES.items() if kind.exit_code == 2}
    assert mistakes == {"USAGE", "NOT_FOUND", "CONFLICT", "CONFIG_INVALID", "CONSENT_MISSING", *REFUSED_REQUESTS}
    assert {ERROR_CODES[code].retry for code in mistakes} == {"never"}


def test_a_file_that_cannot_be_opened_is_told_from_one_of_another_kind() -> None:
    assert unreadable_file(FileNotFoundError()) == unreadable_file(PermissionError()) == "NOT_FOUND"
    assert unreadable_file(UnicodeDecodeError("utf-8", b"", 0, 1, "no text")) == "USAGE"
    assert unreadable_file(ValueError("no JSON")) == "USAGE"


READERS_OF_SETTINGS = {
    "windmill/core/foreign_settings.py",
    "windmill/core/settings.py",
    "windmill/core/services.py",
    "windmill/core/service_access.py",  # variables and files that service_config.json names
    "windmill/derive/calibration.py",
    "windmill/process/metrics_and_health_server.py",  # METRICS_HOST
    "workers/generic.py",  # SERVICE_NAME
    "workers/jobs.py",  # STEPS
    # What a server says of the account, name and certificate that the settings give for it.
    "windmill/broker/connection.py",
    "windmill/storage/database.py",
    "windmill/broker/management.py",
    # The entries of engines, and the variables that they name.
    "windmill/engines/configuration.py",
    "windmill/engines/registry.py",
    "windmill/engines/http/signing.py",
    "windmill/core/bucket_client.py",  # the account, or what opens the stores that the settings name
    "windmill/pipelines/presets/preset_reader.py",
    "windmill/engines/comfyui/task_graphs.py",
}


def blames_settings(node: ast.AST) -> bool:
    """Whether this makes an error that says the configuration is wrong."""
    if not isinstance(node, ast.Call):
        return False
    called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    codes = [one.value for argument in node.args for one in ast.walk(argument) if isinstance(one, ast.Constant)]
    return called == "ConfigInvalid" or (called == "WindmillError" and "CONFIG_INVALID" in codes)


def test_only_readers_of_settings_say_that_the_configuration_is_wrong() -> None:
    blaming = {
        file.relative_to(ROOT).as_posix()
        for folder in ("windmill", "producers", "workers", "postprocessors", "farm", "deploy")
        for file in (ROOT / folder).rglob("*.py")
        if any(map(blames_settings, ast.walk(ast.parse(file.read_text(encoding="utf-8")))))
    }
    assert blaming == READERS_OF_SETTINGS


@pytest.mark.parametrize(
    ("said", "blames"),
    [
        ("raise WindmillError('CONFIG_INVALID', 'x')", True),
        ("raise errors.WindmillError('USAGE' if ours else 'CONFIG_INVALID', 'x') from error", True),
        ("raise ConfigInvalid([])", True),
        ("raise WindmillError('USAGE', 'x')", False),
        ("failed(code='CONFIG_INVALID')", False),
    ],
)
def test_a_line_that_blames_the_settings_is_found(said: str, blames: bool) -> None:
    assert any(map(blames_settings, ast.walk(ast.parse(said)))) == blames


def test_a_wait_that_the_other_side_asks_for_is_carried_along() -> None:
    assert WindmillError("SERVICE_OVERLOADED", "503").retry_after is None
    assert WindmillError("SERVICE_OVERLOADED", "503", retry_after=7).retry_after == 7
