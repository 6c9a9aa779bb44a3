# SPDX-License-Identifier: LGPL-2.1-or-later
"""``Rules``: what holds for every schedule of an exploration.

It stands apart because an exploration and the replay of its seed must agree on them.

Immutable.
"""

from dataclasses import dataclass
from types import ModuleType

__all__ = ["Rules"]


@dataclass(frozen=True, slots=True)
class Rules:
    """What holds for every schedule; a seed is replayed under the rules it was found with.

    Attributes:
        lines: Modules of which every line is a step as well: this finds races in what is read
            and written without a lock, at the price of many more schedules.
        has_early_timeouts: Whether a wait may also time out while other threads could run.
        is_checked: Whether ranked locks check their order.
        max_steps: A schedule that takes more steps has failed: it seems not to end.
        patience: How many real seconds a schedule may take before it counts as stuck.
    """

    lines: tuple[ModuleType, ...] = ()
    has_early_timeouts: bool = False
    is_checked: bool = True
    max_steps: int = 20_000
    patience: float = 20.0

    def traced_files(self) -> frozenset[str]:
        """Return the files of which every line is a step."""
        return frozenset(module.__file__ for module in self.lines if module.__file__)
