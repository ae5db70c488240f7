"""Whether a disk has enough space left."""

from windmill.operate.doctor.findings import Area, DoctorFinding, ok, problem, warning
from windmill.operate.render import render_bytes

GIB = 2**30
LITTLE, NEARLY_NONE = 2 * GIB, GIB // 4


def judge_free_space(area: Area, name: str, free: int, where: str, *, total: int = 0) -> DoctorFinding:
    """A problem when the disk is almost full, a warning when little is left."""
    said = f"{render_bytes(free)} free{f' of {render_bytes(total)}' if total else ''} at {where}"
    remedy = "free some space, or move it to a larger disk"
    if free < NEARLY_NONE:
        return problem(area, name, said, remedy)
    return warning(area, name, said, remedy) if free < LITTLE else ok(area, name, said)
