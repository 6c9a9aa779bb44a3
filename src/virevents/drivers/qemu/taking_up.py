# SPDX-License-Identifier: LGPL-2.1-or-later
"""Taking up the runs that another process left: each QEMU is found again, or its end is told.

It stands apart from starting because nothing is started: what is there is compared with what was
told, the domains' state is brought up to date, and what changed meanwhile is told once, marked as
found at start. It is told when there is somebody to hear it: once the first callback is on
record, or before an operation on that domain. If neither comes before the driver is closed, it
stays on record and the next process tells it.

One QEMU that hangs delays nobody: the opening waits a moment for all of them together and goes
on; the domain is there, can be destroyed, and is brought up to date when QEMU answers at last.

Locking:
    `take_up` runs on the thread that opens the driver, which nobody else has yet; it blocks on
    the disk and waits for the loop thread. `tell` takes the domain's lock.

Invariants, each with a test of its name in ``tests/drivers/qemu/test_taking_up.py``:
    goes_on        a QEMU that lives is its domain's again: same id, same definition, controlled
    stopped_once   one that is gone makes one STOPPED, in whichever process it is heard first
    never_was      one that nobody was told of is ended, and nobody is told
    destroyed      what was to be destroyed, or to end with its starter, is destroyed
    no_holdup      a QEMU that hangs keeps neither the opening nor another domain waiting
"""

import asyncio
import logging
from functools import partial
from pathlib import Path
from typing import Final

from virevents.definition import DomainDefinition
from virevents.drivers.qemu.estate import Estate
from virevents.drivers.qemu.launching import Attached, end_unfinished
from virevents.drivers.qemu.process import QemuProcess, find, log_tail
from virevents.drivers.qemu.run import QemuDomain, QemuRun
from virevents.drivers.qemu.status import RunFolder, Status, this_boot
from virevents.drivers.qemu.told import Note, Told, ToldRecord
from virevents.drivers.qemu.transitions import Happening, Transition
from virevents.drivers.qemu.transitions import find as find_line
from virevents.errors import VireventsError
from virevents.model import (
    Cause,
    DomainState,
    LifecycleEvent,
    RequestedBy,
    RunningReason,
    StateAndReason,
)

__all__ = ["TakingUp", "missed_end"]

_log: Final = logging.getLogger("virevents.drivers.qemu")

# How long the opening waits for all QEMUs together; one that is well takes some milliseconds.
_ALL_WITHIN: Final = 3.0

# An end means the same in every phase of a domain that runs.
_RAN: Final = StateAndReason(DomainState.RUNNING, RunningReason.UNKNOWN)

# What a note says of how the domain ends; the first that is there.
_ENDS: Final = (
    (Note.SAVED, Happening.SAVED),
    (Note.DESTROY, Happening.DESTROYED),
    (Note.CRASHED, Happening.CRASHED),
    (Note.POWERED_OFF, Happening.SHUT_DOWN),
)
_ENDS_AFTER: Final = {
    DomainState.CRASHED: Happening.CRASHED,
    DomainState.SHUTDOWN: Happening.SHUT_DOWN,
}
_CAUSES: Final = {
    Happening.SAVED: Cause(RequestedBy.CALL, is_graceful=True, is_found_at_start=True),
    Happening.DESTROYED: Cause(RequestedBy.CALL, is_graceful=False, is_found_at_start=True),
    Happening.SHUT_DOWN: Cause(is_graceful=True, is_found_at_start=True),
}
_UNEXPLAINED: Final = Cause(is_graceful=False, is_found_at_start=True)
_SIGNALLED: Final = Cause(RequestedBy.HOST_SIGNAL, is_graceful=False, is_found_at_start=True)

# A QEMU with one of these is not taken up: what is to become of it was decided.
_DECIDED: Final = Note.STOPPED | Note.DESTROY | Note.SAVED | Note.CRASHED | Note.POWERED_OFF


def missed_end(told: Told) -> tuple[Transition | None, Cause]:
    """How a domain ended whose QEMU is gone, and why, as far as it is on record."""
    noted = (happening for note, happening in _ENDS if note in told.notes)
    happening = next(noted, None) or _ENDS_AFTER.get(told.state.state, Happening.FAILED)
    return find_line(happening, _RAN), _CAUSES.get(happening, _UNEXPLAINED)


class TakingUp:
    """Takes up what the directory has of runs.

    Args:
        estate: Of a driver that is being opened; its definitions are loaded.
    """

    def __init__(self, estate: Estate) -> None:
        self._estate: Final = estate

    def take_up(self) -> None:
        """Find each QEMU again, or note its end; end what should not be.

        Raises:
            LoopStoppedError: The loop has ended.
            OSError: The directory cannot be read.
        """
        estate = self._estate
        folders = estate.directory.run_folders()
        estate.skip_ids(folders[-1].domain_id if folders else 0)
        runs = [run for folder in folders if (run := self._take_up(folder)) is not None]
        if runs:
            estate.on_loop(lambda: _begin(runs), "taking up the QEMUs that were found")
        estate.state.when_heard(self._tell)

    def _tell(self) -> None:
        """Tell all that was found; somebody listens now."""
        for uuid in self._estate.found:
            self._estate.tell_found(uuid)

    def _take_up(self, folder: RunFolder) -> QemuRun | None:
        try:
            status = folder.read()
            if status is None or status.pid is None or status.start_time is None:
                # The process before us was killed while it removed this run, or began it.
                if status is None or end_unfinished(folder):
                    folder.remove()
                return None
            return self._look(folder, status, status.pid, status.start_time)
        except (OSError, ValueError, VireventsError) as error:
            _log.error("the run in %s is left alone: %s", folder.path, error)
            return None

    def _look(self, folder: RunFolder, status: Status, pid: int, start_time: int) -> QemuRun | None:
        told = folder.told()
        if status.is_autodestroyed:
            told.add(Note.DESTROY)
        notes = told.told.notes
        process = find(pid, start_time) if status.boot == this_boot() else None
        is_decided = Note.STARTED not in notes or bool(notes & _DECIDED)
        if process is not None and not (is_decided and process.abandon()):
            return self._go_on(folder, status, told, process)
        if Note.STARTED in notes and Note.STOPPED not in notes:
            self._note_end(folder, status, told)
        else:
            told.close()
            folder.remove()
        return None

    def _go_on(
        self, folder: RunFolder, status: Status, told: ToldRecord, process: QemuProcess
    ) -> QemuRun:
        estate, definition = self._estate, status.definition
        attached = Attached(process=process, told=told, folder=folder, definition=definition)
        with estate.domains.coming(definition, _transient) as (domain, _):
            run = QemuRun(domain, attached, estate)
            with domain.lock:
                domain.begin_locked(run, definition, folder.domain_id)
                domain.state = told.told.state
                domain.hold_back_locked()
        estate.found[definition.uuid] = domain
        return run

    def _note_end(self, folder: RunFolder, status: Status, told: ToldRecord) -> None:
        """Have the domain's end told; a transient one is not even listed any more."""
        estate, definition = self._estate, status.definition
        line, cause = missed_end(told.told)
        if cause == _UNEXPLAINED and _was_signalled(estate.directory.log_path(definition.uuid)):
            cause = _SIGNALLED
        with estate.domains.coming(definition, _transient) as (domain, is_new):
            with domain.lock:
                domain.start_locked(definition, folder.domain_id)
                domain.stop_locked(_RAN if line is None or line.state is None else line.state)
                domain.hold_back_locked()
                now = estate.context.clock.time()
                events = [
                    LifecycleEvent.from_object(domain, event, detail, now, cause)
                    for event, detail in (() if line is None else line.told)
                ]
                domain.tell_locked(partial(self._tell_end, folder, told, events))
            if is_new:
                estate.domains.leave(domain)
        estate.found[definition.uuid] = domain

    def _tell_end(self, folder: RunFolder, told: ToldRecord, events: list[LifecycleEvent]) -> None:
        told.add(Note.STOPPED)
        for event in events:
            self._estate.state.push(event)
        told.close()
        self._estate.sweeper.remove(folder)


def _was_signalled(log: Path) -> bool:
    """Whether the last that QEMU printed says that it obeyed a signal (its os_kill_report)."""
    *_, last = ["", *log_tail(log).splitlines()]
    return ": terminating on signal " in last


async def _begin(runs: list[QemuRun]) -> None:
    tasks = {run.take_up() for run in runs}
    _, waiting = await asyncio.wait(tasks, timeout=_ALL_WITHIN)
    if waiting:
        _log.warning("%d of %d QEMUs that were found do not answer", len(waiting), len(tasks))


def _transient(definition: DomainDefinition) -> QemuDomain:
    return QemuDomain(definition, is_persistent=False)
