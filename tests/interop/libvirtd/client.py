# SPDX-License-Identifier: LGPL-2.1-or-later
"""Does operations on a stock libvirt and tells what came of them; for the system's own Python.

    client.py URI

Reads requests from the standard input, one JSON object a line, and answers each with a line:

    {"verb": "start", "arguments": ["web1"], "named": {"paused": true}, "on": "main",
     "flush": true, "quiet": 0.3}

    {"result": null, "code": 0, "text": "", "events": [
        {"event_id": "lifecycle", "name": "web1", "uuid": "...", "id": 3, "values": [4, 0]}, ...]}

``code`` and ``text`` are the error's. ``events`` are all that came since the last answer, of every
event id, in the order of their coming; with ``flush`` the answer waits until all that libvirt had
queued is here, with ``quiet`` until none came for so many seconds. The verbs are the names of our
Connection and Domain, see the tables below. ``on`` names a connection that the verb "open" made.

It imports nothing of this project: python3-libvirt lives in the distribution's interpreter only.
"""
# mypy: disable-error-code="explicit-any, no-any-return, misc, no-untyped-call, import-not-found"
# ruff: noqa: ANN401  # libvirt's bindings have no types

import json
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import libvirt
import libvirt_qemu

START_FLAGS = {
    "paused": libvirt.VIR_DOMAIN_START_PAUSED,
    "autodestroy": libvirt.VIR_DOMAIN_START_AUTODESTROY,
    "force_boot": libvirt.VIR_DOMAIN_START_FORCE_BOOT,
}
SAVE_FLAGS = {
    "running": libvirt.VIR_DOMAIN_SAVE_RUNNING,
    "paused": libvirt.VIR_DOMAIN_SAVE_PAUSED,
}
UNDEFINE_FLAGS = {
    "managed_save": libvirt.VIR_DOMAIN_UNDEFINE_MANAGED_SAVE,
    "nvram": libvirt.VIR_DOMAIN_UNDEFINE_NVRAM,
    "keep_nvram": libvirt.VIR_DOMAIN_UNDEFINE_KEEP_NVRAM,
}
DUMP_FLAGS = {
    "live": libvirt.VIR_DUMP_LIVE,
    "crash": libvirt.VIR_DUMP_CRASH,
    "reset": libvirt.VIR_DUMP_RESET,
    "memory_only": libvirt.VIR_DUMP_MEMORY_ONLY,
}
DESTROY_FLAGS = {"graceful": libvirt.VIR_DOMAIN_DESTROY_GRACEFUL}
SHUTDOWN_FLAGS = {
    "acpi": libvirt.VIR_DOMAIN_SHUTDOWN_ACPI_POWER_BTN,
    "agent": libvirt.VIR_DOMAIN_SHUTDOWN_GUEST_AGENT,
}
SLEEP_TARGETS = {
    "memory": libvirt.VIR_NODE_SUSPEND_TARGET_MEM,
    "disk": libvirt.VIR_NODE_SUSPEND_TARGET_DISK,
    "hybrid": libvirt.VIR_NODE_SUSPEND_TARGET_HYBRID,
}


def flags(table: dict[str, int], named: dict[str, bool]) -> int:
    """Add up the flags that are on."""
    return sum(table[name] for name, is_on in named.items() if is_on)


# On a connection: called with it and the request's arguments.
ON_CONNECTION: dict[str, Callable[..., Any]] = {
    "define": lambda conn, xml: conn.defineXML(xml).name(),
    "create": lambda conn, xml, **named: conn.createXML(xml, flags(START_FLAGS, named)).name(),
    "restore": lambda conn, path, **named: conn.restoreFlags(path, None, flags(SAVE_FLAGS, named)),
    "lookup": lambda conn, name: conn.lookupByName(name).UUIDString(),
    "lookup_uuid": lambda conn, uuid: conn.lookupByUUIDString(uuid).name(),
    "lookup_id": lambda conn, number: conn.lookupByID(number).name(),
    "domains": lambda conn: sorted(
        [
            domain.name(),
            domain.UUIDString(),
            domain.ID(),
            *domain.state(),
            bool(domain.isPersistent()),
            bool(domain.hasManagedSaveImage()),
        ]
        for domain in conn.listAllDomains()
    ),
    "versions": lambda conn: {"libvirt": conn.getLibVersion(), "hypervisor": conn.getVersion()},
}

# On a domain: called with it (found by the request's first argument, its name) and the rest.
ON_DOMAIN: dict[str, Callable[..., Any]] = {
    "state": lambda domain: domain.state(),
    "xml": lambda domain, inactive=False: domain.XMLDesc(
        libvirt.VIR_DOMAIN_XML_INACTIVE if inactive else 0
    ),
    "undefine": lambda domain, **named: domain.undefineFlags(flags(UNDEFINE_FLAGS, named)),
    "start": lambda domain, **named: domain.createWithFlags(flags(START_FLAGS, named)),
    "suspend": lambda domain: domain.suspend(),
    "resume": lambda domain: domain.resume(),
    "shutdown": lambda domain, **named: domain.shutdownFlags(flags(SHUTDOWN_FLAGS, named)),
    "reboot": lambda domain, **named: domain.reboot(flags(SHUTDOWN_FLAGS, named)),
    "reset": lambda domain: domain.reset(),
    "destroy": lambda domain, **named: domain.destroyFlags(flags(DESTROY_FLAGS, named)),
    "save": lambda domain, path, **named: domain.saveFlags(path, None, flags(SAVE_FLAGS, named)),
    "managed_save": lambda domain, **named: domain.managedSave(flags(SAVE_FLAGS, named)),
    "managed_save_remove": lambda domain: domain.managedSaveRemove(),
    "has_managed_save": lambda domain: bool(domain.hasManagedSaveImage()),
    "rename": lambda domain, name: domain.rename(name),
    "core_dump": lambda domain, path, **named: domain.coreDump(path, flags(DUMP_FLAGS, named)),
    "set_autostart": lambda domain, is_on: domain.setAutostart(int(is_on)),
    "is_autostarted": lambda domain: bool(domain.autostart()),
    "pm_suspend": lambda domain, target: domain.pMSuspendForDuration(SLEEP_TARGETS[target], 0),
    "pm_wakeup": lambda domain: domain.pMWakeup(),
    "monitor": lambda domain, command: libvirt_qemu.qemuMonitorCommand(domain, command, 0),
}


class Told:
    """The events of all connections, in the order of their coming."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._events: list[dict[str, Any]] = []  # guarded by _changed

    def subscribe(self, connection: Any) -> None:
        """Register for every event id that this libvirt has."""
        for name, event_id in sorted(event_ids()):
            connection.domainEventRegisterAny(None, event_id, self._take, name)

    def _take(self, _conn: Any, domain: Any, *values: Any) -> None:
        *values, event_id = values  # type: ignore[assignment]
        identity = {"name": domain.name(), "uuid": domain.UUIDString(), "id": domain.ID()}
        with self._changed:
            self._events.append({"event_id": event_id, **identity, "values": list(values)})
            self._changed.notify_all()

    def wait_until_quiet(self, seconds: float) -> None:
        """Return when no event came for so many seconds."""
        with self._changed:
            count = -1
            while count != len(self._events):
                count = len(self._events)
                self._changed.wait_for(lambda: count != len(self._events), seconds)  # noqa: B023

    def taken(self) -> list[dict[str, Any]]:
        """Hand out what came since the last time."""
        with self._changed:
            events, self._events = self._events, []
        return events


def event_ids() -> Iterator[tuple[str, int]]:
    """Name and number of every event id."""
    prefix = "VIR_DOMAIN_EVENT_ID_"
    for name in dir(libvirt):
        if name.startswith(prefix):
            yield name.removeprefix(prefix).lower().replace("_", "-"), getattr(libvirt, name)


class Client:
    """The connections, and what they told."""

    def __init__(self, uri: str) -> None:
        self._told = Told()
        self._connections: dict[str, Any] = {}
        self._open("main", uri)
        self._told.subscribe(self._connections["main"])

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """Do what the request says."""
        result, code, text = None, 0, ""
        try:
            result = self._do(**request)
        except libvirt.libvirtError as error:
            code, text = error.get_error_code(), error.get_error_message()
        if request.get("flush"):
            self._flush()
        if request.get("quiet"):
            self._told.wait_until_quiet(request["quiet"])
        is_plain = result is None or isinstance(result, bool | int | str | list | dict)
        return {
            "result": result if is_plain else None,
            "code": code,
            "text": text,
            "events": self._told.taken(),
        }

    def _do(
        self,
        verb: str,
        arguments: list[Any],
        named: dict[str, Any],
        on: str = "main",
        **_: Any,
    ) -> Any:
        if verb == "open":
            return self._open(on, *arguments)
        if verb == "close":
            return self._connections.pop(on).close()
        if verb == "take":
            return None
        connection = self._connections[on]
        if verb in ON_CONNECTION:
            return ON_CONNECTION[verb](connection, *arguments, **named)
        domain, *rest = arguments
        return ON_DOMAIN[verb](connection.lookupByName(domain), *rest, **named)

    def _open(self, name: str, uri: str) -> None:
        self._connections[name] = libvirt.open(uri)

    def _flush(self) -> None:
        """Wait until what the call queued is here.

        A daemon flushes its events by a timer of the loop that also writes its answers: two round
        trips later they are on the wire, before the second answer. Two turns of the timers of this
        process then hand them over.
        """
        for _ in range(2):
            self._connections["main"].getLibVersion()
        for _ in range(2):
            turned = threading.Event()
            timer = libvirt.virEventAddTimeout(0, lambda *_: turned.set(), None)  # noqa: B023
            turned.wait()
            libvirt.virEventRemoveTimeout(timer)


def run_loop() -> None:
    """Run libvirt's event loop for ever."""
    while True:
        libvirt.virEventRunDefaultImpl()


def main() -> None:
    """Answer every request, until there is none."""
    libvirt.registerErrorHandler(lambda *_: None, None)
    libvirt.virEventRegisterDefaultImpl()
    threading.Thread(target=run_loop, daemon=True).start()
    client = Client(sys.argv[1])
    for line in sys.stdin:
        answer = client.answer(json.loads(line))
        sys.stdout.write(json.dumps(answer, default=str) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
