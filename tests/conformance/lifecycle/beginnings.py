# SPDX-License-Identifier: LGPL-2.1-or-later
"""How scenarios begin: the steps that lead to a domain that runs, is paused, sleeps, was saved.

Immutable.
"""

from typing import Final

from tests.conformance.lifecycle.machine import Machine
from tests.conformance.lifecycle.scenario import Step, call, guest, up

__all__ = [
    "ASLEEP",
    "DEFINE",
    "DUMP",
    "IMAGE",
    "OTHER",
    "PANICS",
    "PAUSED",
    "PLAIN",
    "PUT_ASIDE",
    "RUNNING",
    "SAVED",
    "TRANSIENT",
    "runs",
]

PLAIN: Final = Machine()
OTHER: Final = Machine("web2", 2)
PANICS: Final = Machine(has_pvpanic=True)
IMAGE: Final = "FOLDER/image"
DUMP: Final = "FOLDER/core"


def runs(machine: Machine, *steps: Step) -> tuple[Step, ...]:
    """Begin with a domain that is this machine and runs."""
    return (call("define", machine), call("start"), up(), *steps)


DEFINE: Final = call("define", PLAIN)
RUNNING: Final = runs(PLAIN)
PAUSED: Final = (*RUNNING, call("suspend"))
ASLEEP: Final = (*RUNNING, guest("s"))
SAVED: Final = (*RUNNING, call("save", "web1", IMAGE))
PUT_ASIDE: Final = (*RUNNING, call("managed_save"))
TRANSIENT: Final = (call("create", PLAIN), up())
