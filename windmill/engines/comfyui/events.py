"""Progress of a prompt, from the events of the server's socket. Pure.

Events may be lost, or come before the history knows what they tell: they move the progress, and say when to look.
"""

from collections.abc import Mapping
from typing import Any

from windmill.engines.comfyui.json_parts import as_list, as_object

_ENDS = ("execution_success", "execution_error", "execution_interrupted")


class PromptProgress:
    """How far a prompt with so many nodes is."""

    def __init__(self, prompt_id: str, nodes: int) -> None:
        self._prompt_id = prompt_id
        self._nodes = max(nodes, 1)
        self._shares: dict[str, float] = {}
        self.ended = False
        """Whether the server has said that it is over; what became of it is in the history."""

    @property
    def share(self) -> float:
        """From 0 to 1; 1 is left to the end itself."""
        return min(sum(self._shares.values()) / self._nodes, 0.99)

    def hear(self, event: object) -> None:
        """Take in one event; those of other prompts change nothing."""
        kind, data = as_object(event).get("type"), as_object(as_object(event).get("data"))
        if data.get("prompt_id") != self._prompt_id:
            return
        if kind in _ENDS or (kind == "executing" and data.get("node") is None):
            self.ended = True
        elif kind == "execution_cached":
            self._shares.update({str(node): 1.0 for node in as_list(data.get("nodes"))})
        elif kind == "progress_state":
            self._take_states(data.get("nodes"))
        elif kind == "progress":
            self._take(str(data.get("node")), data)
        elif kind == "executed":
            self._shares[str(data.get("node"))] = 1.0

    def _take_states(self, nodes: object) -> None:
        for node, state in as_object(nodes).items():
            self._take(str(node), as_object(state))

    def _take(self, node: str, state: Mapping[str, Any]) -> None:
        value, most = state.get("value"), state.get("max")
        if state.get("state") == "finished":
            self._shares[node] = 1.0
        elif isinstance(value, int | float) and isinstance(most, int | float) and most > 0:
            self._shares[node] = max(self._shares.get(node, 0.0), min(max(value / most, 0.0), 1.0))
