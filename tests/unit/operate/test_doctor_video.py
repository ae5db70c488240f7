"""What the doctor says of ffmpeg."""

from windmill.media.ffmpeg.programs import FfmpegFacts
from windmill.operate.doctor.video import judge

ENCODERS = frozenset({"libx264", "aac"})


def test_a_recent_ffmpeg_with_its_encoders_is_well() -> None:
    assert judge(FfmpegFacts("/usr/bin/ffmpeg", "5.1.9-0+deb12u1", ENCODERS)).state == "ok"
    assert judge(FfmpegFacts("/usr/bin/ffmpeg", "N-112-gabc", ENCODERS)).state == "ok"


def test_one_without_x264_and_an_old_one_are_told() -> None:
    assert "libx264" in judge(FfmpegFacts("/f", "9.0.2", frozenset({"aac"}))).found
    assert judge(FfmpegFacts("/f", "4.3.1", ENCODERS)).state == "warning"
