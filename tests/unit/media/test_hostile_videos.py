"""Files that are no videos, or that would cost whoever reads them: refused with a code, in bounded time, and nothing is
left of the children that looked at them."""

import os
import random
import struct
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import pytest

from tests.unit.media.made_clips import X264, ffmpeg, made_clip, tools
from windmill.core.errors import WindmillError
from windmill.media.video.running import run_ffmpeg
from windmill.media.video.scanning import scan_video


def children() -> set[int]:
    """The processes that this one has started and that are still there."""
    found: set[int] = set()
    for thread in Path(f"/proc/{os.getpid()}/task").iterdir():
        with suppress(FileNotFoundError, ProcessLookupError):  # the thread has ended
            found |= {int(pid) for pid in (thread / "children").read_text().split()}
    return found


def refusal(path: Path, **settings: str) -> WindmillError:
    with pytest.raises(WindmillError) as refused:
        scan_video(tools(**settings), path)
    assert children() == set()
    return refused.value


TEXTS: Mapping[str, bytes] = {
    "playlist.m3u8": b"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n",
    "playlist.mp4": b"#EXTM3U\n#EXTINF:10,\nhttp://169.254.169.254/latest/meta-data/\n",
    "list.mov": b"ffconcat version 1.0\nfile '/etc/passwd'\n",
    "concat:one|two.mp4": b"concat:/etc/passwd|/etc/hosts",
    "subfile.mp4": b"subfile,,start,0,end,100,,:/etc/passwd",
    "drawing.mp4": b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>',
    "page.mkv": b"<!DOCTYPE html><html></html>",
    "empty.mp4": b"",
    "random.avi": bytes(random.Random(1).randbytes(4_096)),
    "-i.mp4": b"-i /etc/passwd",
}


@pytest.mark.parametrize("name", TEXTS)
def test_what_names_other_files_or_is_no_video_is_not_opened_at_all(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(TEXTS[name])
    error = refusal(tmp_path / name)
    assert (error.code, error.retry) == ("VIDEO_UNREADABLE", "never")
    assert "root:" not in error.message


def test_the_name_of_a_file_is_never_an_option_or_an_address(tmp_path: Path) -> None:
    path = made_clip(tmp_path / "a.mp4", seconds=0.2).rename(tmp_path / "-f concat:http%3d|x.mp4")
    assert len(scan_video(tools(), path).stream.shown) == 6


def cut_short(path: Path) -> Path:
    data = made_clip(path).read_bytes()
    path.write_bytes(data[: len(data) // 2])
    return path


def without_index(path: Path) -> Path:
    data = made_clip(path).read_bytes()
    path.write_bytes(data[: data.index(b"moov") - 4])
    return path


def huge_frames(path: Path) -> Path:
    """Pictures of a kilobyte that say that they are huge."""
    motion = made_clip(path.with_name("a.mov"), seconds=0.2, codec=("-c:v", "mjpeg", "-pix_fmt", "yuvj420p"))
    data, place = bytearray(motion.read_bytes()), 0
    while (place := data.find(b"\xff\xc0", place + 1)) > 0:
        data[place + 5 : place + 9] = struct.pack(">HH", 30_000, 30_000)
    path.write_bytes(data)
    return path


def many_streams(path: Path) -> Path:
    made_clip(one := path.with_name("one.mp4"), seconds=0.1)
    ffmpeg("-i", str(one), *(("-map", "0:v") * 40), "-c", "copy", str(path))
    return path


def hours_of_silence(path: Path) -> Path:
    """One frame, and then none for hours: a kilobyte."""
    late = "setpts=PTS+gt(N\\,0)*36000/TB"
    return made_clip(path, seconds=0.06, options=("-vf", late, "-fps_mode", "passthrough"))


def sound_alone(path: Path) -> Path:
    ffmpeg("-f", "lavfi", "-i", "anullsrc=d=20", "-c:a", "aac", str(path))
    return path


HOSTILE: Mapping[str, tuple[Callable[[Path], Path], str, str]] = {
    "cut short": (cut_short, "VIDEO_UNREADABLE", ""),
    "moov at the end missing": (without_index, "VIDEO_UNREADABLE", ""),
    "30,000 x 30,000": (huge_frames, "VIDEO_TOO_LARGE", "MAX_VIDEO_PIXELS"),
    "many streams": (many_streams, "VIDEO_TOO_LARGE", "MAX_VIDEO_STREAMS"),
    "10 hours": (hours_of_silence, "VIDEO_TOO_LARGE", "MAX_VIDEO_SECONDS"),
    "sound alone": (sound_alone, "VIDEO_UNREADABLE", ""),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_file_that_costs_too_much_is_refused_with_a_code_and_names_the_setting(kind: str, tmp_path: Path) -> None:
    make, code, setting = HOSTILE[kind]
    error = refusal(make(tmp_path / "a.mp4"))
    assert error.code == code
    assert setting in error.message


@pytest.mark.parametrize(
    ("setting", "value"),
    [("MAX_VIDEO_BYTES", "1024"), ("MAX_VIDEO_FPS", "20"), ("MAX_VIDEO_PIXELS", "2048"), ("MAX_VIDEO_SECONDS", "1")],
)
def test_every_limit_is_a_setting_that_the_error_names(setting: str, value: str, tmp_path: Path) -> None:
    error = refusal(made_clip(tmp_path / "a.mp4", seconds=2), **{setting: value})
    assert (error.code, setting in error.message) == ("VIDEO_TOO_LARGE", True)


def test_a_child_that_takes_too_long_is_killed(tmp_path: Path) -> None:
    settings, endless = tools(), ["-re", "-f", "lavfi", "-i", "testsrc2", "-f", "null", "-"]
    with pytest.raises(WindmillError, match="VIDEO_TOO_LARGE"):
        run_ffmpeg(settings, endless, "VIDEO_UNREADABLE", limits=settings.limits(0.3))
    assert children() == set()


@pytest.mark.timeout(900)
@pytest.mark.slow(reason="150 s: 500 files, each read by children of its own")
def test_mutations_of_a_good_file_are_refused_or_read_and_nothing_else(tmp_path: Path) -> None:
    good = made_clip(tmp_path / "a.mp4", seconds=0.5, codec=X264).read_bytes()
    dice = random.Random(7)
    codes, before = set(), children()
    for number in range(500):
        data = bytearray(good)
        for _ in range(dice.randint(1, 20)):
            data[dice.randrange(len(data))] = dice.randrange(256)
        (path := tmp_path / f"{number}.mp4").write_bytes(data)
        try:
            scan_video(tools(), path)
            codes.add("read")
        except WindmillError as error:
            codes.add(error.code)
        assert children() <= before
    assert codes <= {"read", "VIDEO_UNREADABLE", "VIDEO_TOO_LARGE", "OUT_OF_MEMORY"}
    assert "read" in codes
