"""python -m windmill open: the pages of the gateway, in the browser of whoever asks."""

import argparse
import sys
import uuid
import webbrowser
from collections.abc import Callable
from urllib.parse import urlencode

from windmill.cli.options import Commands, sync_command
from windmill.core.errors import WindmillError
from windmill.core.settings import Settings
from windmill.process.runner import DONE

PAGES = (
    "overview",
    "runs",
    "images",
    "jobs",
    "compose",
    "failures",
    "workers",
    "sessions",
    "webhooks",
    "keys",
    "audit",
)
DESCRIPTION = f"""\
Prints the address of a page and opens it in a browser, if this machine has one. WHAT is a page
({", ".join(PAGES)}), the number of an image, the id of a job,
or a query for images: windmill open 'label:dog -person'. The gateway has to run: python -m gateway.
"""


def add_to(commands: Commands) -> None:
    add = commands.add_parser(
        "open",
        help="open the pages of the gateway in a browser",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add.add_argument("what", nargs="?", default="overview", metavar="WHAT", help="a page, an image, a job or a query")
    add.add_argument("--print", action="store_true", dest="only_print", help="print the address, and open nothing")
    add.set_defaults(start=sync_command(open_page))


def open_page(
    settings: Settings, arguments: argparse.Namespace, browse: Callable[[str], object] = webbrowser.open
) -> int:
    """The address is printed first: what a browser says must not hide it."""
    address = base_of(settings) + page_of(arguments.what)
    sys.stdout.write(f"{address}\n")
    sys.stdout.flush()
    if not arguments.only_print:
        browse(address)
    return DONE


def base_of(settings: Settings) -> str:
    """Of the gateway: as WINDMILL_URL says, else the one of this machine. Raises USAGE where its port is chosen at
    its start."""
    if settings.windmill_url:
        return settings.windmill_url.rstrip("/")
    if not settings.gateway_port:
        raise WindmillError("USAGE", "GATEWAY_PORT=0 is another port at each start", "set WINDMILL_URL to its address")
    host = settings.gateway_host.strip("[]")
    here = "127.0.0.1" if host in ("0.0.0.0", "::") else f"[{host}]" if ":" in host else host  # noqa: S104 - compared
    return f"http://{here}:{settings.gateway_port}"


def page_of(what: str) -> str:
    """The path of a page. Pure."""
    word = what.strip()
    if word in ("", "overview"):
        return "/ui/"
    if word in PAGES:
        return f"/ui/{word}"
    if word.isascii() and word.isdigit():
        return f"/ui/images/{int(word)}"
    try:
        return f"/ui/jobs/{uuid.UUID(word)}"
    except ValueError:
        return f"/ui/images?{urlencode({'query': word})}"
