"""The part of the demo that runs a preset as a job: from its submission to a picture."""

from pathlib import Path

import orjson

from dev.programs import ProgramRunner

PRESET = "cinematic_portrait_v1"
ORDER = ("--preset", PRESET, "--input", "prompt=a lighthouse", "--input", "seed=7", "--quality", "low")


async def make_picture(programs: ProgramRunner, folder: Path) -> str:
    """What has become of the job, for people to read. The built-in engine stands in for one with a model."""
    programs.start("jobs", "-m", "workers.jobs", STEPS="all")
    asked = await programs.run("-m", "windmill", "jobs", "submit", *ORDER, "--engine", "default", "--json")
    job = orjson.loads(asked)["public_id"]
    ended = orjson.loads(await programs.run("-m", "windmill", "jobs", "watch", job, "--json"))
    picture = await programs.run("-m", "windmill", "artifacts", "fetch", job, "--to", str(folder))
    steps = "\n".join(f"  {step['name']}: {step['skip_reason'] or step['status']}" for step in ended["steps"])
    return f"a picture by the preset {PRESET}\n{steps}\n  {picture.strip()}"
