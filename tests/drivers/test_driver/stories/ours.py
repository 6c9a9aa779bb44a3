# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs stories on our ``test:///default``, through what a user holds."""
# mypy: disable-error-code="explicit-any"
# The verbs have different arguments; they come from a story.

from collections.abc import Callable, Mapping
from typing import Final

import virevents
from tests.drivers.test_driver.stories.made_up import Outcome, Story

_PATIENCE: Final = 10.0  # seconds; only a failing test uses them

_Verb = Callable[..., object]

_VERBS: Final[Mapping[str, _Verb]] = {
    "define": lambda conn, xml: conn.define(xml),
    "create": lambda conn, xml: conn.create(xml),
    "create_paused": lambda conn, xml: conn.create(xml, paused=True),
    "restore": lambda conn, path: conn.restore(path),
    "lookup": lambda conn, name: conn.lookup(name),
    "lookup_uuid": lambda conn, uuid: conn.lookup_uuid(uuid),
    "lookup_id": lambda conn, number: conn.lookup_id(number),
    "start": lambda conn, name: conn.lookup(name).start(),
    "start_paused": lambda conn, name: conn.lookup(name).start(paused=True),
    "suspend": lambda conn, name: conn.lookup(name).suspend(),
    "resume": lambda conn, name: conn.lookup(name).resume(),
    "shutdown": lambda conn, name: conn.lookup(name).shutdown(),
    "reboot": lambda conn, name: conn.lookup(name).reboot(),
    "reset": lambda conn, name: conn.lookup(name).reset(),
    "destroy": lambda conn, name: conn.lookup(name).destroy(),
    "undefine": lambda conn, name: conn.lookup(name).undefine(),
    "save": lambda conn, name, path: conn.lookup(name).save(path),
    "managed_save": lambda conn, name: conn.lookup(name).managed_save(),
    "managed_save_remove": lambda conn, name: conn.lookup(name).managed_save_remove(),
    "rename": lambda conn, name, new: conn.lookup(name).rename(new),
    "core_dump": lambda conn, name, path: conn.lookup(name).core_dump(path),
    "core_dump_crash": lambda conn, name, path: conn.lookup(name).core_dump(path, mode="crash"),
}


def _seen(conn: virevents.Connection) -> list[list[object]]:
    """All that can be seen of each domain."""
    return sorted(
        [
            domain.name,
            domain.uuid,
            domain.id,
            *map(int, domain.state()),
            domain.is_persistent,
            domain.has_managed_save,
        ]
        for domain in conn.list()
    )


def told(story: Story, uri: str = "test:///default") -> list[Outcome]:
    """Run *story* on a fresh driver."""
    events: list[virevents.LifecycleEvent] = []
    outcomes: list[Outcome] = []
    with virevents.open(uri) as conn, conn.subscribe(events.append) as subscription:
        for verb, *arguments in story:
            code, text = 0, ""
            try:
                _VERBS[str(verb)](conn, *arguments)
            except virevents.VireventsError as error:
                code, text = error.code, str(error)
            assert subscription.drain(_PATIENCE)
            taken, events[:] = events[:], []
            outcomes.append(
                {
                    "code": code,
                    "text": text,
                    "events": [
                        [e.domain.name, e.domain.uuid, e.domain.id, int(e.event), int(e.detail)]
                        for e in taken
                    ],
                    "domains": _seen(conn),
                }
            )
    return outcomes
