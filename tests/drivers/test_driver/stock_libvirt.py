# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs a list of operations on libvirt's own test driver; a program for the system's Python.

Reads the operations as JSON from the standard input (see ``operations.py``) and prints, as JSON,
what each one led to: the events, the error's code, and all domains after it.

It imports nothing of this project: python3-libvirt lives in the distribution's interpreter only.
"""
# mypy: disable-error-code="explicit-any, no-any-return, misc, no-untyped-call"
# ruff: noqa: ANN401  # libvirt's bindings have no types

import json
import sys
from typing import Any

import libvirt

# Turns of the event loop after an operation: the first delivers, the second shows it was all.
TURNS = 2


def main() -> None:
    libvirt.registerErrorHandler(lambda *_: None, None)
    libvirt.virEventRegisterDefaultImpl()
    connection = libvirt.open("test:///default")
    events = []
    connection.domainEventRegisterAny(
        None,
        libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE,
        lambda _conn, dom, event, detail, _: events.append([dom.name(), dom.ID(), event, detail]),
        None,
    )
    # Without a timer a turn of the loop would wait for ever where nothing is to be told.
    libvirt.virEventAddTimeout(1, lambda *_: None, None)
    outcomes = []
    for operation in json.load(sys.stdin):
        error = run(connection, *operation)
        for _ in range(TURNS):
            libvirt.virEventRunDefaultImpl()
        outcomes.append({"events": events[:], "error": error, "domains": domains(connection)})
        events.clear()
    json.dump(outcomes, sys.stdout)


def run(connection: Any, verb: str, *arguments: Any) -> int | None:
    """Do one operation; give the code of its error, or None."""
    try:
        operation = ON_CONNECTION.get(verb)
        if operation is not None:
            operation(connection, *arguments)
        else:
            name, *rest = arguments
            ON_DOMAIN[verb](connection.lookupByName(name), *rest)
    except libvirt.libvirtError as error:
        return error.get_error_code()
    return None


def domains(connection: Any) -> list[list[Any]]:
    """All domains after an operation, in the order of their names."""
    return sorted(
        [
            domain.name(),
            domain.UUIDString(),
            *domain.state(),
            domain.ID(),
            bool(domain.isPersistent()),
            bool(domain.hasManagedSaveImage()),
        ]
        for domain in connection.listAllDomains()
    )


ON_CONNECTION: dict[str, Any] = {
    "define": lambda connection, xml: connection.defineXML(xml),
    "create": lambda connection, xml, paused=False: connection.createXML(xml, int(paused)),
    "restore": lambda connection, path: connection.restore(path),
    "lookup": lambda connection, name: connection.lookupByName(name),
    "lookup_uuid": lambda connection, uuid: connection.lookupByUUIDString(uuid),
    "lookup_id": lambda connection, number: connection.lookupByID(number),
}

ON_DOMAIN: dict[str, Any] = {
    "undefine": lambda domain: domain.undefine(),
    "start": lambda domain, paused=False: domain.createWithFlags(int(paused)),
    "suspend": lambda domain: domain.suspend(),
    "resume": lambda domain: domain.resume(),
    "shutdown": lambda domain: domain.shutdown(),
    "reboot": lambda domain: domain.reboot(),
    "reset": lambda domain: domain.reset(),
    "destroy": lambda domain: domain.destroy(),
    "save": lambda domain, path: domain.save(path),
    "managed_save": lambda domain: domain.managedSave(),
    "managed_save_remove": lambda domain: domain.managedSaveRemove(),
    "rename": lambda domain, name: domain.rename(name),
    "core_dump": lambda domain, path, crash=False: domain.coreDump(
        path, libvirt.VIR_DUMP_CRASH if crash else 0
    ),
}

if __name__ == "__main__":
    main()
