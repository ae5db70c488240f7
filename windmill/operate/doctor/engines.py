"""The engines of jobs: whether each can work. The files of their models are left to `engines check`, which reads them
whole."""

from dataclasses import replace

from windmill.core.errors import ERROR_CODES, ConfigInvalid
from windmill.core.settings import Settings
from windmill.operate.doctor.findings import DoctorFinding, ok, problem
from windmill.operate.engines import EngineReport, check_engines


async def examine(settings: Settings) -> list[DoctorFinding]:
    """All that are configured; one that is away is a problem only for jobs that need it."""
    from windmill.engines.entries import FleetEntry
    from windmill.engines.registry import configured_engines

    try:
        configured = configured_engines(settings)
        # What the engine `fleet` needs is what the areas broker, topology and database look at.
        entries = {name: entry for name, entry in configured.items() if not isinstance(entry, FleetEntry)}
        reports = await check_engines({name: replace(entry, models=()) for name, entry in entries.items()})
    except ConfigInvalid as error:
        remedy = "set it in .env on the machines that run steps, or correct SERVICE_CONFIG"
        return [problem("engines", one.name, str(one), remedy) for one in error.problems]
    return [_judge(report) for report in reports]


def _judge(report: EngineReport) -> DoctorFinding:
    said = f"{report.kind}: {report.health.says}"
    if report.health.ok:
        return ok("engines", report.name, said)
    return problem("engines", report.name, said, ERROR_CODES[report.codes[0]].remedy)
