"""python -m windmill search: find images by what is in them."""

import argparse
import asyncio

from windmill.cli.options import Commands, add_command, add_json, int_between, print_view, sync_command
from windmill.core.settings import Settings
from windmill.operate.search.views import view_search

DESCRIPTION = """\
Finds images by what services said of them, the newest first, and tells of each why it is a hit. All conditions of a
query have to hold; OR, NOT, - and parentheses do what they say. A word without a field is a label or text.

  label:dog  label:"teddy bear"  label:golden*  label:dog@0.8    a label, perhaps at least so likely
  text:sign  text:"stop sign"  text:stop*  text:~part            captions and words in the picture
  persons:>=3  faces:2  faces:1..4  nsfw:no  nsfw:>0.4           counts and shares
  colour:red  taken:2024-05  taken:2023..2024-06  camera:canon   looks, time and camera
  group:holidays  size:>=1000x800  id:1..500                     where it belongs, and how large it is

The stage `index` of the post-processors keeps what is searched.
"""
EXAMPLES = """\
examples:
  python -m windmill search 'label:dog -person taken:2024-05..'
  python -m windmill search '(cat OR dog) faces:0 colour:red' --explain

Put a query that begins with - behind --: python -m windmill search -- '-person'

exit codes: 0 done, also without hits, 1 failed, 2 a query that cannot be read, 70 a bug of Windmill
"""


def add_to(commands: Commands) -> None:
    add = add_command(commands, "search", "find images by what is in them", DESCRIPTION, EXAMPLES)
    add.add_argument("query", metavar="QUERY", help="conditions; '' is everything")
    add.add_argument("--limit", type=int_between(1, 500), default=50, metavar="N", help="at most so many (default: 50)")
    add.add_argument("--cursor", metavar="TEXT", help="go on where a page ended")
    add.add_argument("--explain", action="store_true", help="tell how the query was understood and carried out")
    add_json(add)
    add.set_defaults(start=sync_command(run_search), remote=True)


def run_search(settings: Settings, arguments: argparse.Namespace) -> int:
    query, limit, cursor = arguments.query, arguments.limit, arguments.cursor
    view = asyncio.run(view_search(settings, query, limit, cursor, explain=arguments.explain))
    return print_view(view, as_json=arguments.json)
