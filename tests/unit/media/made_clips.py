"""Clips that are drawn with ffmpeg: each has a moving picture, and its truth is how it was made."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

from windmill.core.settings import Settings
from windmill.media.ffmpeg.programs import find_ffmpeg
from windmill.media.video.running import VideoTools, open_tools

X264 = ("-c:v", "libx264", "-preset", "ultrafast", "-bf", "2", "-pix_fmt", "yuv420p")
SOUND = ("-f", "lavfi", "-i", "sine=f=440:r=44100")


def tools(**settings: str) -> VideoTools:
    return open_tools(Settings.from_env(settings))


def ffmpeg(*arguments: str) -> None:
    subprocess.run([find_ffmpeg(""), "-v", "error", "-nostdin", "-y", *arguments], check=True)


def made_clip(
    path: Path,
    *,
    seconds: float = 3,
    rate: str = "30",
    size: str = "96x64",
    keyframes: int = 15,
    sound: float = 0,
    codec: Sequence[str] = X264,
    options: Sequence[str] = (),
) -> Path:
    """A clip of so many seconds, with sound of its own length."""
    heard = (*SOUND[:3], f"{SOUND[3]}:d={sound}") if sound else ()
    ffmpeg(
        *("-f", "lavfi", "-i", f"testsrc2=s={size}:r={rate}:d={seconds}", *heard),
        *(*options, *codec, "-g", str(keyframes), *(("-c:a", "aac") if sound else ()), str(path)),
    )
    return path


def uneven_clip(path: Path, seconds: float = 3, size: str = "96x64") -> Path:
    """As of a telephone: some frames come late."""
    late = ("-vf", "settb=1/15360,setpts='(PTS-STARTPTS)+gt(mod(N\\,7)\\,3)*200'")
    timing = ("-fps_mode", "passthrough", "-enc_time_base", "1:15360")
    return made_clip(path, seconds=seconds, size=size, sound=seconds, options=(*late, *timing))
