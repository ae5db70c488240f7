"""python -m windmill plan: how long so many images take, and what machines they need."""

import argparse
import asyncio
import sys

from windmill.cli.options import Commands, add_json, add_services, age, int_between, print_result, sync_command
from windmill.core.services import load_fleet
from windmill.core.settings import Settings
from windmill.operate.plan import PlanRequest, make_plan, render_plan_json, render_plan_text
from windmill.process.runner import DONE

DESCRIPTION = """\
Extrapolates linearly from measurements: the rate of fully busy workers or, without any, the answer times in results and
the concurrency; and the sizes of the tables. The column "from" names the source; "assumed" means that nothing was
measured. A plan does not know that services share a GPU or slow down under load. Urgent images count like others: they
change the order of the work, not its amount. While they wait, RabbitMQ holds them besides: plan them with the
--max-queued of their own producer, and add both.
"""


def add_to(commands: Commands) -> None:
    add = commands.add_parser(
        "plan",
        help="estimate the time and resources for a number of images",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_services(add)
    add.add_argument("--images", type=int_between(), required=True, metavar="N", help="number of images to process")
    add.add_argument(
        "--deadline", type=age, metavar="SPAN", help="also print how many workers finish within this time, such as 30d"
    )
    add.add_argument(
        "--max-queued",
        type=int_between(),
        default=1_000_000,
        metavar="N",
        help="the producer's --max-queued (%(default)s)",
    )
    add_json(add)
    add.set_defaults(start=sync_command(run_plan))


def run_plan(settings: Settings, arguments: argparse.Namespace) -> int:
    services = load_fleet(settings.service_config).select(arguments.services)
    request = PlanRequest(arguments.images, arguments.deadline, arguments.max_queued)
    plan = asyncio.run(make_plan(settings, services, request))
    if plan.unmeasured:
        sys.stderr.write(f"all of it is assumed, because of {plan.unmeasured}\n")
    print_result(render_plan_json(plan), render_plan_text(plan), as_json=arguments.json)
    return DONE
