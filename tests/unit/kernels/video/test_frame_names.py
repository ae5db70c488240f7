"""Names of frames, from which their time is read again."""

import pytest

from windmill.kernels.video.frame_names import frame_name, moment_of_frame


@pytest.mark.parametrize("seconds", [0.0, 0.04, 4.1, 3_600.25])
def test_the_time_of_a_frame_is_read_from_its_name_and_that_of_its_image(seconds: float) -> None:
    name = frame_name(50, seconds)
    assert moment_of_frame(name) == moment_of_frame(f"{name}-{'a' * 12}") == seconds


@pytest.mark.parametrize(
    "name", ["", "dog.jpg", "frame_1.jpg", "frame_000050_2.00seconds.jpg", "my_frame_000050_2.00s"]
)
def test_other_names_tell_no_time(name: str) -> None:
    assert moment_of_frame(name) is None
