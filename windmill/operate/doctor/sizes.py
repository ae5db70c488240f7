"""Bytes for people, and whether enough of them are left."""

from windmill.operate.doctor.findings import Area, DoctorFinding, ok, problem, warning

GIB = 2**30
LITTLE, NEARLY_NONE = 2 * GIB, GIB // 4


def shown(count: float) -> str:
    """In the largest unit of which there is at least one."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"


def space(area: Area, name: str, free: int, where: str, *, total: int = 0) -> DoctorFinding:
    """What is free on a disk."""
    said = f"{shown(free)} free{f' of {shown(total)}' if total else ''} at {where}"
    remedy = "free some space, or move it to a larger disk"
    if free < NEARLY_NONE:
        return problem(area, name, said, remedy)
    return warning(area, name, said, remedy) if free < LITTLE else ok(area, name, said)
