"""Runs OpenStack Swift with its S3 interface under one folder: swift_node.py FOLDER PORT KEY SECRET

Started by dev.servers.swift with the interpreter that has Swift, which is not the one of this project: nothing of
Windmill can be imported here. A proxy listens on PORT, and behind it an account, a container and an object server on
the next three ports; one copy of each object lies in FOLDER, whose file system must know extended attributes.
"""

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ADDRESS = "127.0.0.1"
BEHIND = ("account", "container", "object")
FILTERS = ("catch_errors", "s3api", "tempauth", "copy", "slo", "dlo")
DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG


def texts(folder: Path, port: int, key: str, secret: str) -> Iterator[tuple[str, str]]:
    """The configuration files by name."""
    account, user = key.split(":")
    common = (
        f"[DEFAULT]\nbind_ip = {ADDRESS}\nworkers = 0\nswift_dir = {folder}\ndevices = {folder}/node\n"
        "mount_check = false\nlog_level = WARNING\n"
    )
    yield (
        "swift.conf",
        "[swift-hash]\nswift_hash_path_prefix = windmill\nswift_hash_path_suffix = tests\n"
        "[storage-policy:0]\nname = single\ndefault = yes\n",
    )
    for number, kind in enumerate(BEHIND, start=1):
        yield (
            f"{kind}-server.conf",
            f"{common}bind_port = {port + number}\n[pipeline:main]\npipeline = {kind}-server\n"
            f"[app:{kind}-server]\nuse = egg:swift#{kind}\n",
        )
    more = {"s3api": "location = us-east-1\n", "tempauth": f"user_{account}_{user} = {secret} .admin\n"}
    yield (
        "proxy-server.conf",
        f"{common}bind_port = {port}\n[pipeline:main]\npipeline = {' '.join(FILTERS)} proxy-server\n"
        "[app:proxy-server]\nuse = egg:swift#proxy\naccount_autocreate = true\nallow_account_management = true\n"
        + "".join(f"[filter:{name}]\nuse = egg:swift#{name}\n{more.get(name, '')}" for name in FILTERS),
    )


def write_rings(folder: Path, port: int) -> None:
    """Which server has what: one device has all."""
    from swift.common.ring import RingBuilder

    for number, kind in enumerate(BEHIND, start=1):
        builder = RingBuilder(4, 1, 1)
        place = {"ip": ADDRESS, "port": port + number, "replication_ip": ADDRESS, "replication_port": port + number}
        builder.add_dev({"region": 1, "zone": 1, "device": "d1", "weight": 1.0} | place)
        builder.rebalance()
        builder.get_ring().save(str(folder / f"{kind}.ring.gz"))


def serve(folder: Path, kind: str) -> int:
    """One of the servers, until it is told to stop or its parent is gone."""
    ctypes.CDLL(None).prctl(DIE_WITH_PARENT, signal.SIGTERM)
    from swift.common import utils

    utils.set_swift_dir(str(folder))  # before anything else of Swift is loaded: much of it reads swift.conf then
    from swift.common.wsgi import run_wsgi

    return int(run_wsgi(str(folder / f"{kind}-server.conf"), f"{kind}-server") or 0)


def main(folder: Path, port: int, key: str, secret: str) -> int:
    """All four, until told to stop or one of them ends."""
    (folder / "node" / "d1").mkdir(parents=True, exist_ok=True)
    for name, text in texts(folder, port, key, secret):
        (folder / name).write_text(text)
    from swift.common import utils

    utils.set_swift_dir(str(folder))
    write_rings(folder, port)
    started = [subprocess.Popen([sys.executable, "-P", __file__, str(folder), kind]) for kind in (*BEHIND, "proxy")]
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        os.wait()
    except KeyboardInterrupt:
        return 0
    finally:
        for one in started:
            one.terminate()
        for one in started:
            one.wait()
    return 1


if __name__ == "__main__":
    if len(sys.argv) == 3:
        sys.exit(serve(Path(sys.argv[1]), sys.argv[2]))
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4]))
