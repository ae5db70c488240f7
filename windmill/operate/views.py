"""What commands print that only look: made here, or over HTTP by the gateway, which calls the same functions.

Steps on pictures bring numpy and Pillow along, so what knows presets is imported when one is looked at.
"""

from windmill.core.errors import ERROR_CODES
from windmill.core.services import load_fleet
from windmill.core.settings import Settings
from windmill.operate import remote_views
from windmill.operate.over_http import over_http
from windmill.operate.preset_times import read_preset_times
from windmill.operate.queues import read_queues, render_queues_json, render_queues_table
from windmill.operate.show.reading import show_image
from windmill.operate.show.render import render_report_json, render_report_text
from windmill.operate.status.reading import read_status
from windmill.operate.status.render import render_status_json, render_status_text, render_unavailable
from windmill.operate.view import View

MISTAKEN = ERROR_CODES["CONFIG_INVALID"].exit_code
WITHOUT_RATES = "without rates, because this RabbitMQ does not collect them; see python -m windmill status"


@over_http(remote_views.view_status)
async def view_status(settings: Settings, services: str, lost_after: float, *, workers: bool) -> View:
    """The status of the fleet."""
    status = await read_status(settings, load_fleet(settings.service_config).select(services), lost_seconds=lost_after)
    text = render_status_text(status, workers=workers)
    return View(render_status_json(status), text, render_unavailable(status))


@over_http(remote_views.view_queues)
async def view_queues(settings: Settings, services: str) -> View:
    """The length and the rates of each queue."""
    return await queues_view(settings, services, oldest=False)


async def queues_view(settings: Settings, services: str, *, oldest: bool) -> View:
    """The same; the age of the oldest job of each queue is found by taking it, and only on a machine of the fleet."""
    names = [service.name for service in load_fleet(settings.service_config).select(services)]
    report = await read_queues(settings, names, oldest=oldest)
    notes = [f"without unacked and rates, because of {report.management}"] if report.management else []
    notes += [WITHOUT_RATES] if report.without_rates and not notes else []
    return View(render_queues_json(report), render_queues_table(report), notes)


@over_http(remote_views.view_image)
async def view_image(settings: Settings, image: str) -> View:
    """What is known of one image."""
    report = await show_image(settings, image, settings.image_root)
    return View(render_report_json(report), render_report_text(report))


@over_http(remote_views.view_presets)
async def view_presets(
    settings: Settings, category: str | None, engine: str | None, *, everything: bool, measured: bool
) -> View:
    """What can be asked for; with `everything` also what cannot be run yet. Times of jobs are `measured` for the
    document alone."""
    from windmill.engines.registry import configured_engines
    from windmill.operate import presets as view
    from windmill.pipelines.presets.preset_library import load_presets

    library = load_presets(settings.presets_dir)
    presets = view.select_presets(library, category, engine)
    unavailable = view.select_unavailable(library, category) if everything else []
    configured = configured_engines(settings)
    times = await read_preset_times(settings) if measured else {}
    document = view.render_presets_json(presets, unavailable, library.problems, configured, times)
    text = view.render_presets_table(presets, unavailable, configured if everything else None)
    return View(document, text, [*map(str, library.problems)], MISTAKEN if library.problems else 0)


@over_http(remote_views.view_preset)
async def view_preset(settings: Settings, preset: str, *, measured: bool) -> View:
    """One preset in full, with the times that its jobs took if they are to be `measured`."""
    from windmill.operate.presets import preset_document, render_preset_text
    from windmill.pipelines.presets.preset_library import load_presets

    found = load_presets(settings.presets_dir).get(preset)
    times = (await read_preset_times(settings)).get(found.preset.id, {}) if measured else {}
    return View(preset_document(found.preset, times), render_preset_text(found, times))
