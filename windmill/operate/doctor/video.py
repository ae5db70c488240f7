"""Videos: whether ffmpeg is there, how old it is, and whether it has the encoders that every video needs."""

from windmill.core.errors import WindmillError
from windmill.core.setting_parts import VideoSettings
from windmill.media.ffmpeg.programs import OLDEST, REMEDY, FfmpegFacts, ask_ffmpeg, find_ffmpeg
from windmill.operate.doctor.findings import DoctorFinding, ok, warning
from windmill.operate.doctor.threads import in_thread


async def examine(settings: VideoSettings) -> list[DoctorFinding]:
    return await in_thread(lambda: _look(settings.ffmpeg))


def _look(named: str) -> list[DoctorFinding]:
    """A machine without ffmpeg does everything but videos, so that is a fault only where FFMPEG names one."""
    try:
        return [judge(ask_ffmpeg(find_ffmpeg(named)))]
    except WindmillError as error:
        if named:
            return [warning("video", "ffmpeg", error.message, error.remedy)]
        return [ok("video", "ffmpeg", f"none, and only steps on videos need it: {error.remedy}")]


def judge(facts: FfmpegFacts) -> DoctorFinding:
    """What is wrong with a program that was found, if anything is."""
    said = f"{facts.path}, version {facts.version}"
    if facts.missing:
        return warning("video", "ffmpeg", f"{said}, has no {' and no '.join(facts.missing)}", REMEDY)
    if facts.is_old:
        oldest = ".".join(map(str, OLDEST))
        return warning("video", "ffmpeg", f"{said}, is older than {oldest}", f"install {oldest} or newer")
    return ok("video", "ffmpeg", said)
