"""Versions of servers, compared with the supported ones."""

import re

from windmill.operate.doctor.findings import Area, DoctorFinding, ok, problem, warning


def numbers(version: str) -> tuple[int, int]:
    """Major and minor of a version such as 3.10.8 or 18beta1; the minor may be absent."""
    match = re.match(r"(\d+)(?:\.(\d+))?", version)
    return (int(match[1]), int(match[2] or 0)) if match else (0, 0)


def judge_version(area: Area, program: str, version: str, oldest: tuple[int, int], newest: int) -> DoctorFinding:
    """A problem when it is older than `oldest`, a warning when its major is beyond `newest`."""
    said = f"{program} {version}"
    if numbers(version) < oldest:
        least = ".".join(str(number) for number in oldest if number)
        return problem(area, "version", f"{said} is too old", f"install {program} {least} or newer")
    if numbers(version)[0] > newest:
        return warning(area, "version", f"{said} is newer than any that was tried", "run the tests on it first")
    return ok(area, "version", said)
