"""What the doctor says of the place that holds the files of jobs."""

import os
from pathlib import Path

import pytest

from tests.made_store import Bucket, made_store
from windmill.core.errors import WindmillError
from windmill.core.settings import Settings
from windmill.operate.doctor.artifacts import examine, judge_folder
from windmill.operate.doctor.findings import DoctorFinding


def named(found: list[DoctorFinding]) -> DoctorFinding:
    [one] = [one for one in found if one.name == "ARTIFACTS_URL"]
    return one


def test_a_folder_that_the_first_file_makes_is_well(tmp_path: Path) -> None:
    assert named(judge_folder(tmp_path / "a" / "b")).state == "ok"
    assert list(tmp_path.iterdir()) == [], "the doctor changes nothing"


def test_a_file_in_place_of_the_folder_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "store").write_bytes(b"")
    assert named(judge_folder(tmp_path / "store" / "inner")).state == "problem"


@pytest.mark.parametrize(
    ("mode", "below", "state"),
    [(0o700, "", "ok"), (0o500, "", "ok"), (0o500, "inner", "problem"), (0o300, "", "problem")],
    ids=["written", "only read", "cannot be made", "not read"],
)
def test_what_this_user_may_do_there_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: int, below: str, state: str
) -> None:
    # An administrator may do everything, so the system is asked what the owner may.
    bits = {os.R_OK: 0o400, os.W_OK: 0o200, os.X_OK: 0o100}
    monkeypatch.setattr(
        os, "access", lambda path, asked: all(path.stat().st_mode & bit for one, bit in bits.items() if asked & one)
    )
    tmp_path.chmod(mode)
    found = named(judge_folder(tmp_path / below))
    tmp_path.chmod(0o700)
    assert found.state == state
    assert bool(found.remedy) == (state == "problem")


def of_bucket(endpoint: str, address: str) -> Settings:
    return Settings.from_env(
        {
            "ARTIFACTS_URL": address,
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_ACCESS_KEY_ID": "account",
            "AWS_SECRET_ACCESS_KEY": "secret",
        }
    )


async def test_a_bucket_that_can_be_listed_is_well() -> None:
    with made_store(files=Bucket({f"in/ab/ab{'0' * 62}": b"some"}), empty=Bucket()) as endpoint:
        [full] = await examine(of_bucket(endpoint, "s3://files/in"), 5)
        [empty] = await examine(of_bucket(endpoint, "s3://empty"), 5)
    assert (full.state, full.found) == ("ok", "s3://files/in can be listed")
    assert (empty.state, "no files of jobs yet" in empty.found) == ("ok", True)


@pytest.mark.parametrize(
    ("address", "word"), [("s3://none", "NoSuchBucket"), ("s3://shut", "InvalidAccessKeyId"), ("s3://ill", "SlowDown")]
)
async def test_what_keeps_a_bucket_from_being_listed_is_told_at_once_and_with_the_remedy(
    address: str, word: str
) -> None:
    shut, ill = Bucket(refusals={"": (403, "InvalidAccessKeyId")}), Bucket(refusals={"": (503, "SlowDown")})
    with made_store(shut=shut, ill=ill) as endpoint, pytest.raises(WindmillError, match=word) as raised:
        await examine(of_bucket(endpoint, address), 5)
    assert (raised.value.code, "AWS_ENDPOINT_URL" in raised.value.remedy) == ("ARTIFACT_STORE_UNAVAILABLE", True)
    assert len(shut.asked) <= 1
    assert len(ill.asked) <= 1
