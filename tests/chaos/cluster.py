"""Three RabbitMQ nodes on loopback that are one cluster."""

import asyncio
import os
import secrets
import signal
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path

from dev.servers import files, ports, processes, rabbitmq_node
from dev.servers.rabbitmq_node import NodeSettings
from dev.servers.rabbitmq_programs import RabbitmqPrograms

CTL_SECONDS = 120


@dataclass(frozen=True)
class Node:
    """One of them; `home` holds its data."""

    home: Path
    settings: NodeSettings

    @property
    def address(self) -> str:
        return f"{ports.LOOPBACK}:{self.settings.port['amqp']}"


class Cluster:
    """All nodes share one user, one cookie and one port mapper."""

    def __init__(self, folder: Path, programs: RabbitmqPrograms) -> None:
        self._folder = folder
        self._programs = programs
        self.nodes: list[Node] = []

    def start(self, number: int = 3) -> None:
        cookie, settings = secrets.token_hex(20), rabbitmq_node.new_settings()
        for place in range(number):
            node = self._node(place, settings)
            files.write_private(node.home / "home" / ".erlang.cookie", cookie, mode=0o400)
            self.nodes.append(node)
            if place == 0:
                rabbitmq_node.ensure_port_mapper(node.home, self._programs, node.settings)
            rabbitmq_node.launch(node.home, self._programs, node.settings)
            if place:
                self._join(node)

    def _node(self, place: int, common: NodeSettings) -> Node:
        name = f"n{place}-{common.name}"
        home = self._folder / f"node{place}"
        (home / "log").mkdir(parents=True)
        settings = rabbitmq_node.choose_ports(home, replace(common, name=name))
        if self.nodes:
            settings = replace(settings, port={**settings.port, "epmd": self.nodes[0].settings.port["epmd"]})
        return Node(home, settings)

    def _join(self, node: Node) -> None:
        for arguments in (["stop_app"], ["join_cluster", self.nodes[0].settings.name], ["start_app"]):
            self._ctl(node, *arguments)

    def _ctl(self, node: Node, *arguments: str) -> None:
        done = subprocess.run(
            [self._programs.script.parent / "rabbitmqctl", *arguments],
            env=self._programs.environment() | rabbitmq_node.environment(node.home, node.settings),
            capture_output=True,
            text=True,
            timeout=CTL_SECONDS,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def kill(self, node: Node) -> None:
        """As a machine does that loses its power."""
        pid = rabbitmq_node.pid(node.home)
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        assert processes.wait_until(lambda: rabbitmq_node.pid(node.home) is None, 20)

    async def bring_back(self, node: Node) -> None:
        await asyncio.to_thread(rabbitmq_node.launch, node.home, self._programs, node.settings)

    def stop(self) -> None:
        for node in self.nodes:
            processes.kill_marked(rabbitmq_node.MARK, str(node.home))
        for node in self.nodes:
            rabbitmq_node.stop(node.home)

    def variables(self) -> dict[str, str]:
        """What the commands of a fleet are told of it."""
        first = self.nodes[0].settings
        return {
            "QUEUE_HOST": ",".join(node.address for node in self.nodes),
            "QUEUE_USER": first.user,
            "QUEUE_PASSWORD": first.password,
            "QUEUE_VHOST": "/",
        }
