# SPDX-License-Identifier: LGPL-2.1-or-later
"""A program that manages domains until it is killed: operations by chance, events on its output.

    python -m tests.survival.manager ROOT SEED

Each line is a JSON object, written at once and whole: an event as it reaches the callback, then
"ready" with the domains that run, once all that was found at start was delivered.
"""

import contextlib
import json
import os
import random
import sys
from pathlib import Path
from typing import Final

import virevents
from tests.survival.processes import definition_of

NAMES: Final = ("d0", "d1", "d2", "d3")
VERBS: Final = (
    *("define", "create", "start", "start", "start", "suspend", "resume", "destroy", "reset"),
    *("undefine", "managed_save", "managed_save", "core_dump"),
)
GUESTS: Final = ("rom-idle", "rom-idle", "rom-idle", "rom-poweroff")


def say(**facts: object) -> None:
    """Write one line, in one system call: a killed program has written it, or has not."""
    os.write(1, json.dumps(facts).encode() + b"\n")


def tell(event: virevents.DomainEvent) -> None:
    """Write an event."""
    if isinstance(event, virevents.LifecycleEvent):
        say(
            uuid=event.domain.uuid,
            id=event.domain.id,
            event=str(event.event),
            detail=str(event.detail),
            found=event.cause.is_found_at_start,
        )


def operate(connection: virevents.Connection, root: Path, chance: random.Random) -> None:
    """Do one thing, as likely as not one that the state does not allow."""
    name = chance.choice(NAMES)
    verb = chance.choice(VERBS)
    xml = definition_of(root, name, chance.choice(GUESTS))
    if verb == "define":
        connection.define(xml)
    elif verb == "create":
        connection.create(xml, paused=chance.random() < 0.3, autodestroy=chance.random() < 0.2)
    elif verb == "start":
        connection.lookup(name).start(paused=chance.random() < 0.3)
    elif verb == "undefine":
        connection.lookup(name).undefine(managed_save=True)
    elif verb == "core_dump":
        connection.lookup(name).core_dump(str(root / f"{name}.core"), mode="live")
    else:
        getattr(connection.lookup(name), verb)()


def main() -> None:
    """Manage."""
    root, chance = Path(sys.argv[1]), random.Random(sys.argv[2])
    connection = virevents.open(f"qemu:///embed?root={root}")
    subscription = connection.subscribe(tell)
    assert subscription.drain(30.0)
    say(ready=[(domain.uuid, domain.id) for domain in connection.list(active=True)])
    while True:
        with contextlib.suppress(virevents.VireventsError):
            operate(connection, root, chance)


if __name__ == "__main__":
    main()
