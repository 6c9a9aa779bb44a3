# SPDX-License-Identifier: LGPL-2.1-or-later
"""Keeps the picture and the table of ``docs/qemu_states.md`` equal to the QEMU driver's table.

This tool writes them; with ``--check`` it writes nothing and fails when they are stale.
"""

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

sys.path.insert(0, str(Path(__file__).parent.parent))

from tools.marked_page import keep
from virevents.drivers.qemu.transitions import TRANSITIONS, Phase, Transition, phase_of
from virevents.model import RequestedBy

_HEAD: Final = (
    "| what happens | asked for as | in | then | events | on whose wish | graceful |",
    "|---|---|---|---|---|---|---|",
)
_WORDS: Final = {
    RequestedBy.UNKNOWN: "unknown, or a call's",
    RequestedBy.CALL: "a call's",
    RequestedBy.GUEST: "the guest's, or a call's",
    RequestedBy.HOST_SIGNAL: "a host's signal, or a call's",
}
_GRACEFUL: Final = {None: "", True: "yes", False: "no"}


def _in_order(phases: Iterable[Phase]) -> list[Phase]:
    chosen = set(phases)
    return [phase for phase in Phase if phase in chosen]


def _edges() -> Iterator[tuple[Phase, Phase, str]]:
    for line in TRANSITIONS:
        if line.state is None or line.asked is not None:
            continue
        for met in _in_order(line.met):
            label = line.happening.name.lower().replace("_", " ")
            yield met, phase_of(line.state), label


def picture() -> str:
    """The phases, and what leads from one to another."""
    labels: dict[tuple[Phase, Phase], list[str]] = {}
    for begin, end, label in _edges():
        labels.setdefault((begin, end), []).append(label)
    lines = ["```mermaid", "stateDiagram-v2", f"    [*] --> {Phase.STARTING}: start"]
    for (begin, end), said in labels.items():
        lines.append(f"    {begin} --> {end}: {', '.join(said)}")
    return "\n".join([*lines, f"    {Phase.OFF} --> [*]", "```"])


def _row(line: Transition) -> str:
    met = ", ".join(_in_order(line.met))
    then = "as before" if line.state is None else f"{line.state.state} ({line.state.reason})"
    told = ", then ".join(f"{event}/{detail}" for event, detail in line.told) or "none"
    asked = "" if line.asked is None else str(line.asked)
    cells = (
        line.happening.value,
        asked,
        met,
        then,
        told,
        _WORDS[line.unless_asked] if line.told else "",
        _GRACEFUL[line.is_graceful],
    )
    return f"| {' | '.join(cells)} |"


def table() -> str:
    """Every line of the table, in its order."""
    return "\n".join([*_HEAD, *(_row(line) for line in TRANSITIONS)])


if __name__ == "__main__":
    sys.exit(keep("qemu_states.md", {"picture": picture(), "table": table()}))
