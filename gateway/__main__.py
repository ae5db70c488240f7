"""The HTTP gateway: python -m gateway

Listens on GATEWAY_HOST and GATEWAY_PORT; docs/gateway.md tells what it answers. Without keys it serves this machine
alone, and refuses to start on any other address. On SIGTERM or Ctrl-C it finishes the requests in hand within
SHUTDOWN_GRACE_SECONDS; a second signal stops at once.
.env.example describes every setting.
"""

import argparse
import sys

from windmill.process.runner import run

if __name__ == "__main__":
    argparse.ArgumentParser(
        prog="python -m gateway", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    ).parse_args()
    from gateway.server import main

    sys.exit(run(main))
