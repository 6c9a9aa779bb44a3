# SPDX-License-Identifier: LGPL-2.1-or-later
"""From a definition to a QEMU that waits for ``cont``, such that ``kill -9`` leaves no orphan.

It stands apart from the start of a domain, which is about the guest, because the order of the
steps here is about us: an intent is written before the process can be there, and its number as
soon as it is (``status`` says what each file means). Wherever this process is killed, the next
one finds the QEMU, and finds that its guest never ran.

Locking:
    None. Called under the domain's turn; blocks on the disk and on the fork.

Invariants, each with a test of its name in ``tests/drivers/qemu/test_launching.py``:
    nothing_behind   a launch that fails leaves neither process, file nor descriptor
    never_lost       killed after any step, the folder tells whether a QEMU may live, and which
"""

import logging
import socket
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, replace
from typing import Final

from virevents.definition import DomainDefinition
from virevents.drivers.qemu import sockets
from virevents.drivers.qemu.directory import DomainDirectory
from virevents.drivers.qemu.process import QemuProcess, find_marked, spawn
from virevents.drivers.qemu.status import RunFolder, Status, this_boot
from virevents.drivers.qemu.told import ToldRecord

__all__ = ["Attached", "Launched", "Plan", "end_unfinished", "launch"]

# How long a QEMU that was just started may take to say its greeting.
_GREETING_WITHIN: Final = 30.0

_log: Final = logging.getLogger("virevents.drivers.qemu")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is to be started.

    Attributes:
        arguments: The program's path, then its arguments.
        descriptors: What it inherits beside the monitor's socket.
        definition: What it runs by, with what the start added to it.
    """

    arguments: Sequence[str]
    descriptors: Sequence[int] = ()
    definition: DomainDefinition


@dataclass(frozen=True, slots=True, kw_only=True)
class Attached:
    """A QEMU, and what is ours of it.

    Attributes:
        process: It.
        told: The record of what is told of its run.
        folder: The files of its run, to be removed when it is over.
        definition: What it runs by, with what the start added to it.
    """

    process: QemuProcess
    told: ToldRecord
    folder: RunFolder
    definition: DomainDefinition


@dataclass(frozen=True, slots=True, kw_only=True)
class Launched(Attached):
    """A QEMU that waits for ``cont``.

    Attributes:
        monitor: Our end of its monitor.
    """

    monitor: socket.socket

    def undo(self) -> None:
        """Kill it and leave nothing; by who launched it, before anything was told of it."""
        self.monitor.close()
        self.process.abandon()
        self.told.close()
        self.folder.remove()


def launch(
    directory: DomainDirectory,
    domain_id: int,
    definition: DomainDefinition,
    make_plan: Callable[[RunFolder, int], Plan],
    *,
    is_autodestroyed: bool = False,
) -> Launched:
    """Start a QEMU.

    Args:
        directory: Where its files are.
        domain_id: An id that no run had.
        definition: What it is to run by.
        make_plan: Given the run's folder and the descriptor of the monitor's listening socket,
            says what to start.
        is_autodestroyed: Whether it ends with this process.

    Raises:
        OperationFailedError: It could not be started.
        OSError: The disk refused.
        VireventsError: What *make_plan* raises.
    """
    folder = directory.run_folder(domain_id)
    intent = Status(definition=definition, is_autodestroyed=is_autodestroyed, boot=this_boot())
    with ExitStack() as undo:
        told = folder.make(intent)
        undo.callback(folder.remove)
        undo.callback(told.close)
        directory.confinement.open_to(folder.path)
        directory.confinement.open_to(folder.channels.parent)
        directory.confinement.give(folder.channels)
        with closing(sockets.listen(folder.monitor)) as listener:
            # Connected before it is started: a connection waits for QEMU, we never do.
            monitor = sockets.connect(folder.monitor)
            undo.callback(monitor.close)
            plan = make_plan(folder, listener.fileno())
            process = spawn(
                plan.arguments,
                descriptors=(listener.fileno(), *plan.descriptors),
                log=directory.log_path(definition.uuid),
                mark=folder.mark,
                confinement=directory.confinement,
            )
        undo.callback(process.abandon)
        found = replace(intent, pid=process.pid, start_time=process.start_time)
        folder.write(replace(found, definition=plan.definition))
        undo.pop_all()
    return Launched(
        process=process, monitor=monitor, told=told, folder=folder, definition=plan.definition
    )


def end_unfinished(folder: RunFolder) -> bool:
    """End the QEMU, if there is one, of a launch that was broken off before its status was whole.

    Whether there is one is asked of the monitor's socket, which it inherited: somebody listens,
    or nobody does. Blocks, for as long as a process that was just forked takes to be QEMU.

    Returns:
        Whether there is none any more.
    """
    try:
        with sockets.connect(folder.monitor) as client:
            # Either its greeting or its end: then it has its mark, or is gone.
            client.settimeout(_GREETING_WITHIN)
            with suppress(OSError):
                client.recv(1)
    except BlockingIOError:
        _log.debug("%s: somebody listens and takes no more connections", folder.monitor)
    except OSError:
        return True
    process = find_marked(folder.mark)
    return process is None or process.abandon()
