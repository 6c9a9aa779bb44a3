# SPDX-License-Identifier: LGPL-2.1-or-later
"""Keeps the picture and the table of ``docs/concurrency.md`` equal to the lock declarations.

This tool writes them; with ``--check`` it writes nothing and fails when they are stale.
"""

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final

sys.path.insert(0, str(Path(__file__).parent.parent))

from tools.marked_page import keep
from virevents.sync import LOCK_TABLE, LockClass, Step

_ROOM: Final = 84

_TOP: Final = """\
  user threads      loop thread            workers
  the API           sockets, timers,       run strands: user callbacks,
                    monitors, the flush    no lock held"""

_SAYS: Final = {
    Step.TURN: "one modifying call of a domain at a time; kept while waiting for the monitor;\n"
    "                    never taken on a loop thread",
    Step.OWNER: "one at a time",
    Step.LEAF: "one at a time, then stop",
}


def picture(table: Iterable[LockClass] = LOCK_TABLE) -> str:
    """The three steps, with the names of the locks on each."""
    lines = ["```", _TOP, "  " + "-" * (_ROOM - 2)]
    for step in Step:
        names = "   ".join(kind.name for kind in table if kind.step is step)
        lines.append(f"  step {step.value}  {step.name:<9} {names}")
        lines.append(f"                    {_SAYS[step]}")
    return "\n".join([*lines, "```"])


def table_of(table: Iterable[LockClass] = LOCK_TABLE) -> str:
    """The lock table as Markdown."""
    head = ["| lock class | step | one per | guards |", "|---|---|---|---|"]
    rows = [f"| {k.name} | {k.step.value} | {k.scope} | {k.guards} |" for k in table]
    return "\n".join([*head, *rows])


if __name__ == "__main__":
    sys.exit(keep("concurrency.md", {"picture": picture(), "table": table_of()}))
