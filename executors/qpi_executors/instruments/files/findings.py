"""What reading found besides values: what was assumed, and what would not work on an instrument."""

from __future__ import annotations

from dataclasses import dataclass, field

from .tree import Node


@dataclass(slots=True)
class Findings:
    """Sentences that begin with a file and a key: what was ``assumed``, and ``faults``, beyond an instrument."""

    assumed: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def assume(self, node: Node, what: str) -> None:
        """Note what was taken for granted, or left out, at a key."""
        self._once(self.assumed, f"{node.where} {what}")

    def fault(self, node: Node, what: str) -> None:
        """Note what a simulated instrument puts up with and a real one does not."""
        self._once(self.faults, f"{node.where} {what}")

    @staticmethod
    def _once(found: list[str], sentence: str) -> None:
        if sentence not in found:
            found.append(sentence)
