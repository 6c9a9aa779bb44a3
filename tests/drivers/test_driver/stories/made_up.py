# SPDX-License-Identifier: LGPL-2.1-or-later
"""Made-up stories: lists of steps that are run on our test driver and on libvirt's alike.

A step is a verb and its arguments; see ``ours.py`` for the verbs. Where ``operations.py`` tells one
long life, chosen by hand, these go everywhere: wrong names, uuids that belong to another, calls in
states that nobody thought of.
"""

import random
from collections.abc import Sequence
from typing import Final, TypedDict

Step = list[object]
Story = list[Step]

TEST: Final = "test"  # the domain that runs from the start
UUIDS: Final = (
    "6695eb01-f6a4-8304-79aa-97f2502e193f",  # of TEST
    "11111111-2222-3333-4444-555555555551",
    "11111111-2222-3333-4444-555555555552",
)


class Outcome(TypedDict):
    """What became of a step."""

    code: int
    text: str
    events: list[list[object]]
    domains: list[list[object]]


def xml(name: str, uuid: str, on_poweroff: str = "destroy", on_reboot: str = "restart") -> str:
    return (
        f"<domain type='test'><name>{name}</name><uuid>{uuid}</uuid><memory>8192</memory>"
        f"<vcpu>1</vcpu><os><type>hvm</type></os><on_poweroff>{on_poweroff}</on_poweroff>"
        f"<on_reboot>{on_reboot}</on_reboot></domain>"
    )


_PLAIN: Final = ["start", "suspend", "resume", "shutdown", "destroy", "undefine"] * 3 + [
    "reboot",
    "reset",
    "managed_save",
    "managed_save_remove",
    "start_paused",
    "lookup",
]
_NAMES: Final = (TEST, "web1", "web2")


def made_up(seed: int, length: int, folder: str) -> Story:
    """A story of *length* steps; the same for the same seed."""
    chance = random.Random(seed)
    return [_made_up_step(chance, folder) for _ in range(length)]


def _made_up_step(chance: random.Random, folder: str) -> Step:
    name = chance.choice(_NAMES)
    # mostly the uuid that belongs to the name, sometimes another's
    uuid = UUIDS[_NAMES.index(name)] if chance.random() < 0.8 else chance.choice(UUIDS)
    path = f"{folder}/{chance.choice(('a', 'b'))}.save"
    others: Sequence[Step] = (
        ["define", xml(name, uuid)],
        ["define", xml(name, uuid, on_poweroff="restart", on_reboot="preserve")],
        ["create", xml(name, uuid)],
        ["create_paused", xml(name, uuid)],
        ["save", name, path],
        ["restore", path],
        ["rename", name, chance.choice(_NAMES)],
        ["core_dump", name, f"{folder}/core"],
        ["core_dump_crash", name, f"{folder}/core"],
        ["lookup_uuid", uuid],
        ["lookup_id", chance.randint(0, 4)],
    )
    if chance.random() < 0.5:
        return chance.choice(others)
    return [chance.choice(_PLAIN), name]
