"""Where ffmpeg is: FFMPEG, else on the PATH, else in the package imageio-ffmpeg. Nothing else is needed, no ffprobe
either: what a file holds is asked of ffmpeg itself."""

import importlib.util
import re
import shutil
import subprocess
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from windmill.core.errors import WindmillError
from windmill.core.extras import install_extra

OLDEST = (5, 1)
ENCODERS = ("libx264", "aac")
"""What every video needs that is made."""
REMEDY = f"install it (on Debian: apt install ffmpeg), or, {install_extra('video')}; or name it: FFMPEG=/path/of/it"
_WHEEL = "imageio_ffmpeg"
_SECONDS = 20.0
_VERSION = re.compile(r"ffmpeg version n?(\S+)")
_ENCODER = re.compile(r"^ [VAS][A-Z.]{5} (\S+)", re.MULTILINE)


@dataclass(frozen=True)
class FfmpegFacts:
    """What a program says of itself."""

    path: str
    version: str
    encoders: frozenset[str]

    @property
    def is_old(self) -> bool:
        """Whether it is older than what is tested; a build without a number is taken for a new one."""
        numbers = re.match(r"(\d+)\.(\d+)", self.version)
        return bool(numbers) and (int(numbers[1]), int(numbers[2])) < OLDEST  # type: ignore[index]

    @property
    def missing(self) -> list[str]:
        return [name for name in ENCODERS if name not in self.encoders]


def find_ffmpeg(named: str) -> str:
    """The program; raises DEPENDENCY_MISSING if there is none."""
    if named:
        found = shutil.which(named)
        if not found:
            said = f"FFMPEG={named} is not a program that can be started"
            raise WindmillError("DEPENDENCY_MISSING", said, "correct FFMPEG, or leave it empty")
        return str(Path(found).absolute())
    found = shutil.which("ffmpeg") or _of_wheel()
    if not found:
        raise WindmillError("DEPENDENCY_MISSING", "videos and recordings need ffmpeg, which was not found", REMEDY)
    return str(Path(found).absolute())


def _of_wheel() -> str | None:
    spec = importlib.util.find_spec(_WHEEL)
    folder = Path(spec.origin).parent / "binaries" if spec and spec.origin else None
    found = sorted(folder.glob("ffmpeg-*")) if folder else []
    return str(found[-1]) if found else None


def ask_ffmpeg(path: str) -> FfmpegFacts:
    """Its version and encoders; raises DEPENDENCY_MISSING if it does not run."""
    encoders = frozenset(_ENCODER.findall(_said(path, "-encoders")))
    return FfmpegFacts(path, version_of(path), encoders)


def version_of(path: str) -> str:
    """What it says of itself, asked once as long as the file is the same."""
    return _version_of(path, Path(path).stat().st_mtime_ns)


@lru_cache(maxsize=8)
def _version_of(path: str, _: int) -> str:
    version = _VERSION.search(_said(path, "-version"))
    return version[1] if version else "unknown"


def _said(path: str, option: str) -> str:
    try:
        asked = subprocess.run(
            [path, "-hide_banner", option], capture_output=True, timeout=_SECONDS, check=True, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise WindmillError("DEPENDENCY_MISSING", f"{path} does not run: {error}", REMEDY) from error
    return asked.stdout.decode("utf-8", "replace")
