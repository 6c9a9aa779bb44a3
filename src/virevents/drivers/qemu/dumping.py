# SPDX-License-Identifier: LGPL-2.1-or-later
"""A guest's memory, written to a file as an ELF core: on a call, or when the guest crashes.

It stands apart from saving because nothing is ever read back, and the domain mostly goes on.

The file is opened here and its descriptor handed to QEMU, which needs no right to the path. It is
always QEMU's own ELF format (libvirt: VIR_DUMP_MEMORY_ONLY), which debuggers read; the format of
libvirt's other kind of dump is a migration stream, which ``save`` writes better.

Locking:
    A call takes the domain's turn and waits under it for the disk and the loop thread; so does an
    automatic dump, on a thread of its own. ``dump_to`` is confined to the loop thread.

Invariants, each with a test of its name in ``tests/drivers/qemu/test_dumping.py``:
    golden        each mode makes libvirt's sequence of events and its state
    elf           what is written is an ELF core of the guest's memory
    as_it_was     a dump that fails leaves the domain as it was, and no file
    automatic     a guest that crashes is dumped without anybody's call
"""

import logging
import os
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from virevents.drivers.base import CoreDumpMode
from virevents.drivers.qemu.ending import Sign
from virevents.drivers.qemu.estate import Estate, state_of
from virevents.drivers.qemu.migration import Monitored
from virevents.drivers.qemu.placing import PlacedFile, check_place
from virevents.drivers.qemu.run import QemuDomain, QemuRun
from virevents.errors import (
    MonitorError,
    MonitorTimeoutError,
    OperationFailedError,
    OperationTimeoutError,
    VireventsError,
)
from virevents.model import DomainIdentity, DomainState, Json, PausedReason, RunningReason

__all__ = ["Dumping", "dump_name", "dump_to"]

_log: Final = logging.getLogger("virevents.drivers.qemu")

_NAME: Final = "virevents-core"
# How long nothing may be heard before QEMU is asked whether it is still there.
_SILENCE_MAX: Final = 10.0
# The steps within end by themselves when QEMU hangs; this only bounds the wait for the loop.
_DAY: Final = 86400.0
# How long a QEMU that was asked to end, then killed, may take to be gone.
_GONE_WITHIN: Final = 15.0
_SHOWN_OF_NAME: Final = 20  # libvirt: virDomainDefGetShortName
_PRIVATE: Final = 0o700


async def dump_to(run: Monitored, descriptor: int) -> None:
    """Have the guest's memory written to *descriptor*; a running guest is paused meanwhile.

    Raises:
        OperationFailedError: It could not be written.
        MonitorError: QEMU went away, or hangs.
    """
    await run.send_descriptor(_NAME, descriptor)
    arguments: dict[str, Json] = {"paging": False, "protocol": f"fd:{_NAME}", "detach": True}
    with run.listen("DUMP_COMPLETED") as heard:
        await run.execute("dump-guest-memory", arguments)
        status: object = None
        why: object = None
        while status not in {"completed", "failed"}:
            try:
                data = (await heard.next(within=_SILENCE_MAX)).get("data")
                status, why = _word(_word(data, "result"), "status"), _word(data, "error")
            except MonitorTimeoutError:
                # A large memory takes minutes. A QEMU that hangs does not answer this.
                status = _word(await run.execute("query-dump"), "status")
    if status != "completed":
        raise OperationFailedError(f"operation failed: could not dump the memory: {why or status}")


async def _dump_and_go_on(run: QemuRun, descriptor: int) -> None:
    """The same of a guest that runs; returns when it runs again, which it does afterwards."""
    life = run.life
    with run.listen("RESUME") as heard:
        life.ask(replace(life.asked, pause=PausedReason.DUMP, run=RunningReason.UNPAUSED))
        try:
            await dump_to(run, descriptor)
            await heard.next(within=_SILENCE_MAX)
        finally:
            life.ask(replace(life.asked, pause=None, run=None))


def _word(data: object, key: str) -> object:
    return data.get(key) if isinstance(data, Mapping) else None


def dump_name(domain: DomainIdentity, time: float) -> str:
    """Name the file of an automatic dump, as libvirt does: id, name, local time."""
    moment = datetime.fromtimestamp(time, UTC).astimezone()
    return f"{domain.id}-{domain.name[:_SHOWN_OF_NAME]}-{moment:%Y-%m-%d-%H:%M:%S}"


class Dumping:
    """The operation that dumps, and the automatic dumps.

    Args:
        estate: What the operations share.
        folder: Where automatic dumps go; made when there is one.
    """

    def __init__(self, estate: Estate, folder: Path) -> None:
        self._estate: Final = estate
        self._folder: Final = folder

    def core_dump(self, uuid: str, path: str, mode: CoreDumpMode) -> None:
        """See ``Driver.core_dump``."""
        check_place(path)
        with self._estate.turn(uuid) as domain:
            run = self._estate.active_run(domain)
            was_running = state_of(domain) is DomainState.RUNNING
            must_pause = was_running and mode is not CoreDumpMode.LIVE
            if must_pause:
                self._estate.on_loop(lambda: run.stop(PausedReason.DUMP), "the pause for the dump")
            try:
                self._write(run, path, goes_on=was_running and not must_pause)
            except MonitorTimeoutError:
                raise  # it hangs: nothing more to be asked of it
            except VireventsError:
                if must_pause:
                    self._go_on(run)
                raise
            if mode is CoreDumpMode.CRASH:
                self._end(run)
                return
            if mode is CoreDumpMode.RESET:
                self._estate.on_loop(run.reset, "the reset after the dump")
            if must_pause:
                # The dump is there, which was asked for; a reset may be the end of a domain.
                self._go_on(run)

    def dump_automatically(self, domain: QemuDomain, run: QemuRun) -> None:
        """Dump a guest that crashed, whose turn is held, into the folder of such dumps."""
        self._folder.mkdir(mode=_PRIVATE, exist_ok=True)
        name = dump_name(domain.identity, self._estate.context.clock.time())
        self._write(run, os.fspath(self._folder / name), goes_on=False)
        _log.warning("the memory of %s was dumped to %s", domain.identity.name, self._folder / name)

    def _write(self, run: QemuRun, path: str, *, goes_on: bool) -> None:
        """Write the file; *goes_on* says that QEMU will pause the guest and let it go on."""
        dump = _dump_and_go_on if goes_on else dump_to
        with PlacedFile(path) as file:
            try:
                self._estate.on_loop(lambda: dump(run, file.descriptor), "the dump", within=_DAY)
            except MonitorTimeoutError:
                raise
            except MonitorError as error:
                raise OperationFailedError(
                    f"operation failed: the dump was broken off: {error}"
                ) from error
            file.finish()

    def _go_on(self, run: QemuRun) -> None:
        try:
            self._estate.on_loop(lambda: run.cont(RunningReason.UNPAUSED), "the resumption")
        except MonitorError as error:
            _log.error("a guest does not go on after a dump: %s", error)

    def _end(self, run: QemuRun) -> None:
        self._estate.context.loop.call(lambda: run.conclude_as(Sign.PANICKED))
        if not run.ended.wait(_GONE_WITHIN):
            raise OperationTimeoutError(f"{run.ended.name} took longer than {_GONE_WITHIN:g} s")
