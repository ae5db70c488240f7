"""Images that a job has looked at, and where they come from."""

import uuid

import pytest

from windmill.operate.search.frames import FrameOfJob, frame_of

JOB = uuid.UUID(int=7)


def test_a_frame_of_a_video_leads_to_its_second_and_a_picture_of_a_job_to_the_job_alone() -> None:
    assert frame_of(f"job-{JOB}", "frame_000050_2.00s-0123456789ab") == FrameOfJob(JOB, 2.0)
    assert frame_of(f"job-{JOB}", "image-0123456789ab") == FrameOfJob(JOB, None)


@pytest.mark.parametrize("group", [None, "", "holidays", "job-search", "job-"])
def test_an_image_of_another_group_is_no_frame(group: str | None) -> None:
    assert frame_of(group, "frame_000050_2.00s-0123456789ab") is None
