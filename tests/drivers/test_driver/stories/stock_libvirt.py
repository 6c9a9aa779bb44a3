# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs stories on the stock ``test:///default``; a program for the system's own interpreter.

Reads a JSON list of stories, each a list of steps (see ``made_up.py``), and prints what became of
each: a list of outcomes in the form that ``ours.py`` gives for our driver.
"""
# mypy: disable-error-code="explicit-any"
# The verbs have different arguments; they come from a story.

import json
import sys
from collections.abc import Callable

import libvirt

_events: list[list[object]] = []


def _quiet(context: object, error: object) -> None:
    """Keep libvirt from printing each error."""


def _on_lifecycle(
    conn: object, domain: "libvirt.virDomain", event: int, detail: int, opaque: object
) -> None:
    _events.append([domain.name(), domain.UUIDString(), domain.ID(), event, detail])


def _flush() -> None:
    """Run the event loop until a timer added now has fired: the flush was due before it."""
    fired: list[int] = []
    timer = libvirt.virEventAddTimeout(0, lambda number, opaque: fired.append(number), None)
    while not fired:
        libvirt.virEventRunDefaultImpl()
    libvirt.virEventRemoveTimeout(timer)


def _domain(conn: "libvirt.virConnect", name: str) -> "libvirt.virDomain":
    return conn.lookupByName(name)


_Verb = Callable[..., object]

# the names are those of our Connection and Domain
_VERBS: dict[str, _Verb] = {
    "define": lambda conn, xml: conn.defineXML(xml),
    "create": lambda conn, xml: conn.createXML(xml, 0),
    "create_paused": lambda conn, xml: conn.createXML(xml, libvirt.VIR_DOMAIN_START_PAUSED),
    "restore": lambda conn, path: conn.restoreFlags(path, None, 0),
    "lookup": lambda conn, name: conn.lookupByName(name),
    "lookup_uuid": lambda conn, uuid: conn.lookupByUUIDString(uuid),
    "lookup_id": lambda conn, number: conn.lookupByID(number),
    "start": lambda conn, name: _domain(conn, name).create(),
    "start_paused": lambda conn, name: _domain(conn, name).createWithFlags(
        libvirt.VIR_DOMAIN_START_PAUSED
    ),
    "suspend": lambda conn, name: _domain(conn, name).suspend(),
    "resume": lambda conn, name: _domain(conn, name).resume(),
    "shutdown": lambda conn, name: _domain(conn, name).shutdown(),
    "reboot": lambda conn, name: _domain(conn, name).reboot(0),
    "reset": lambda conn, name: _domain(conn, name).reset(0),
    "destroy": lambda conn, name: _domain(conn, name).destroy(),
    "undefine": lambda conn, name: _domain(conn, name).undefine(),
    "save": lambda conn, name, path: _domain(conn, name).save(path),
    "managed_save": lambda conn, name: _domain(conn, name).managedSave(0),
    "managed_save_remove": lambda conn, name: _domain(conn, name).managedSaveRemove(0),
    "rename": lambda conn, name, new: _domain(conn, name).rename(new, 0),
    "core_dump": lambda conn, name, path: _domain(conn, name).coreDump(path, 0),
    "core_dump_crash": lambda conn, name, path: _domain(conn, name).coreDump(
        path, libvirt.VIR_DUMP_CRASH
    ),
}


def _seen(conn: "libvirt.virConnect") -> list[list[object]]:
    """All that can be seen of each domain."""
    return sorted(
        [
            domain.name(),
            domain.UUIDString(),
            domain.ID(),
            *domain.state(),
            bool(domain.isPersistent()),
            bool(domain.hasManagedSaveImage(0)),
        ]
        for domain in conn.listAllDomains()
    )


def _outcome(conn: "libvirt.virConnect", verb: str, arguments: list[object]) -> dict[str, object]:
    code, text = 0, ""
    try:
        _VERBS[verb](conn, *arguments)
    except libvirt.libvirtError as error:
        code, text = error.get_error_code(), error.get_error_message()
    _flush()
    events, _events[:] = _events[:], []
    return {"code": code, "text": text, "events": events, "domains": _seen(conn)}


def _told(story: list[list[object]]) -> list[dict[str, object]]:
    conn = libvirt.open("test:///default")
    number = conn.domainEventRegisterAny(
        None, libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE, _on_lifecycle, None
    )
    outcomes = [_outcome(conn, str(verb), arguments) for verb, *arguments in story]
    conn.domainEventDeregisterAny(number)
    _flush()
    conn.close()
    return outcomes


if __name__ == "__main__":
    libvirt.registerErrorHandler(_quiet, None)
    libvirt.virEventRegisterDefaultImpl()
    json.dump([_told(story) for story in json.load(sys.stdin)], sys.stdout)
