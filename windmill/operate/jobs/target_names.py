"""Which files of a job are fetched, and where they go."""

from collections.abc import Sequence
from pathlib import PurePosixPath

from windmill.core.errors import WindmillError
from windmill.operate.jobs.shown import Shown


def select_files(files: Sequence[Shown], step: str | None) -> list[Shown]:
    """Those of one step; raises NOT_FOUND if there are none."""
    made = [file for file in files if file["step"]]
    wanted = step or (made[-1]["step"] if made else None)
    found = [file for file in made if file["step"] == wanted]
    if not found:
        said = f"the step {step} has made no files" if step else "the job has made no files yet"
        raise WindmillError("NOT_FOUND", said, "list what there is: python -m windmill artifacts list JOB")
    return found


def target_names(files: Sequence[Shown]) -> list[str]:
    """A name for each below one folder, with the number of the shard where there are several."""
    several = len({file["shard"] for file in files}) > 1
    return [_inside(f"{file['shard'] + 1}/{file['name']}" if several else file["name"]) for file in files]


def _inside(name: str) -> str:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts:
        raise WindmillError("USAGE", f"{name!r} leads out of the folder")
    return name
