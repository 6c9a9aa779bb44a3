# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every exception that virevents raises on purpose, with one root.

They stand apart so that every room may raise them and none needs another for it. Each class
carries libvirt's error number (``code``), which the daemon sends and clients compare; facts of
the single case are attributes, never only text.

The tree::

    VireventsError
    +-- InternalError                a fault of ours
    |   +-- LockOrderError           a lock, wait or call-out against the concurrency rules
    |   +-- LoopStoppedError         the loop ended before it ran what was handed to it
    +-- LocalProtocolError           a fault of the caller's
    |   +-- InvalidArgumentError     an argument that can never be right
    |   |   +-- DefinitionError      domain XML: names the element and its line
    |   |       +-- MalformedXmlError  text that is no XML
    |   |       +-- NamelessDefinitionError  it states no name
    |   |       +-- UnsupportedDefinitionError  well-formed, but not for this driver
    |   +-- ClosedError              use of something closed
    |   +-- ForkedError              use of what a parent process opened
    |   +-- WouldBlockError          a call that would wait, on a thread that must not
    |   +-- ReadOnlyError            a modifying call on a read-only connection
    +-- RemoteProtocolError          a fault of the peer's
    |   +-- MonitorError             QEMU refused a command or broke its protocol
    |   |   +-- MonitorTimeoutError  QEMU did not answer in time
    |   +-- AgentError               the guest's agent is silent or refused
    |   +-- FrameError               a stream in which no further message can be found
    |   +-- PayloadError             a message whose payload is not what its header says
    +-- OpenError                    a connection could not be opened
    +-- UnsupportedError             this driver does not have the operation
    |   +-- UnsupportedArgumentError  it has the operation, but not in this way
    +-- DomainNotFoundError
    +-- DomainExistsError
    +-- StateError                   the domain is not in a state that allows the call
    +-- OperationFailedError         the hypervisor tried and failed
    |   +-- HostError                a file or a program of the host's is missing or refused
    |   +-- StartError               a domain's hypervisor ended before its guest ran
    +-- OperationTimeoutError        a deadline passed
        +-- ExpectTimeout            ``expect`` ended without its event

Immutable: nothing here changes after it was raised.
"""

from typing import ClassVar, Final

__all__ = [
    "AgentError",
    "ClosedError",
    "DefinitionError",
    "DomainExistsError",
    "DomainNotFoundError",
    "ExpectTimeout",
    "ForkedError",
    "FrameError",
    "HostError",
    "InternalError",
    "InvalidArgumentError",
    "LocalProtocolError",
    "LockOrderError",
    "LoopStoppedError",
    "MalformedXmlError",
    "MonitorError",
    "MonitorTimeoutError",
    "NamelessDefinitionError",
    "OpenError",
    "OperationFailedError",
    "OperationTimeoutError",
    "PayloadError",
    "ReadOnlyError",
    "RemoteProtocolError",
    "StartError",
    "StateError",
    "UnsupportedArgumentError",
    "UnsupportedDefinitionError",
    "UnsupportedError",
    "VireventsError",
    "WouldBlockError",
]


class VireventsError(Exception):
    """The root of all errors of this library.

    Attributes:
        code: libvirt's error number (``virErrorNumber``) for this kind of error.
    """

    code: ClassVar[int] = 1


class InternalError(VireventsError):
    """A fault of this library: please report it."""


class LockOrderError(InternalError):
    """A lock, a wait or a call-out against the rules of ``docs/concurrency.md``.

    Raised only where locks are checked (``VIREVENTS_LOCKCHECK=1``), before anything blocks.

    Attributes:
        wanted: What was about to happen, with its place.
        held: What forbids it, with the place where that began.
    """

    def __init__(self, rule: str, *, wanted: str, held: str) -> None:
        super().__init__(f"{rule}: wanted {wanted}; held {held}")
        self.wanted: Final = wanted
        self.held: Final = held


class LoopStoppedError(InternalError):
    """The event loop stopped before it ran, or while it ran, what was handed to it."""


class LocalProtocolError(VireventsError):
    """The caller used the library in a way that can never be right."""

    code = 8


class InvalidArgumentError(LocalProtocolError, ValueError):
    """An argument has a value that is never allowed; the text says what was expected and met."""


class DefinitionError(InvalidArgumentError):
    """A domain definition (XML) that is not understood or not allowed.

    Attributes:
        element: The element or attribute at fault, or None when the text is no XML at all.
        line: Its line, counted from 1, or None when no line can be named.
    """

    code = 27

    def __init__(self, text: str, *, element: str | None = None, line: int | None = None) -> None:
        super().__init__(text if line is None else f"line {line}: {text}")
        self.element: Final = element
        self.line: Final = line


class MalformedXmlError(DefinitionError):
    """Text that is no well-formed XML; only the line can be named."""

    code = 35


class NamelessDefinitionError(DefinitionError):
    """A domain definition that states no name."""

    code = 21


class UnsupportedDefinitionError(DefinitionError):
    """A domain definition that is understood, but asks for what this driver does not have."""

    code = 67


class ClosedError(LocalProtocolError):
    """A queue, registry, event state, stream or connection was used after its end."""

    code = 6


class ForkedError(LocalProtocolError):
    """An object that a parent process opened was used in its forked child."""

    code = 6


class WouldBlockError(LocalProtocolError):
    """A call that would wait was made on a thread that must never wait.

    Raised before the call did anything. ``virevents.aio`` has an awaitable for each such call.
    """

    code = 55


class ReadOnlyError(LocalProtocolError):
    """A modifying call was made on a connection that was opened read-only."""

    code = 29


class RemoteProtocolError(VireventsError):
    """A peer broke its protocol or answered with an error of its own."""

    code = 39


class MonitorError(RemoteProtocolError):
    """QEMU's monitor refused a command, or broke its protocol.

    Attributes:
        command: The QMP command that was refused, or "" outside a command.
        error_class: QMP's error class, or "" when there was none.
        description: QMP's own words.
    """

    code = 1

    def __init__(self, command: str, error_class: str, description: str) -> None:
        where = f"monitor command {command!r}" if command else "monitor"
        super().__init__(f"{where}: {description}")
        self.command: Final = command
        self.error_class: Final = error_class
        self.description: Final = description


class MonitorTimeoutError(MonitorError):
    """QEMU did not answer a monitor command in time: the process may be stopped or hung."""

    code = 68


class AgentError(RemoteProtocolError):
    """The agent in the guest does not answer, or refused."""

    code = 86


class FrameError(RemoteProtocolError):
    """A peer's stream has bytes where no message can be: only to close it is left."""


class PayloadError(RemoteProtocolError):
    """A message's payload is not the structure that it should be; the stream goes on.

    Attributes:
        structure: The name of the structure.
    """

    def __init__(self, structure: str, fault: str) -> None:
        super().__init__(f"Unable to decode message payload: {structure}: {fault}")
        self.structure: Final = structure


class OpenError(VireventsError):
    """A connection could not be opened: unknown scheme, bad URI, or a driver that cannot start."""

    code = 5


class UnsupportedError(VireventsError):
    """This driver, or this build of the operating system, does not have the operation."""

    code = 3


class UnsupportedArgumentError(UnsupportedError):
    """The driver has the operation, but not with these arguments or for this domain."""

    code = 74


class DomainNotFoundError(VireventsError):
    """No domain of that name, uuid or id; the domain may have gone since it was looked up."""

    code = 42


class DomainExistsError(VireventsError):
    """A domain of that name or uuid is there already and is another one."""

    code = 9


class StateError(VireventsError):
    """The domain is in a state that does not allow the call.

    Attributes:
        state: The state that was met, as its word ("running").
        required: What the call needs, in words.
    """

    code = 55

    def __init__(self, text: str, *, state: str, required: str) -> None:
        super().__init__(text)
        self.state: Final = state
        self.required: Final = required


class OperationFailedError(VireventsError):
    """The hypervisor tried the operation and failed; the text carries its words."""

    code = 9


class HostError(OperationFailedError):
    """A file or a program of the host's is missing, or the system refused it."""

    code = 38


class StartError(OperationFailedError):
    """A domain's hypervisor ended, or said nothing, before its guest ran; nothing is left of it."""

    code = 1


class OperationTimeoutError(VireventsError, TimeoutError):
    """A deadline passed before the operation was done."""

    code = 68


class ExpectTimeout(OperationTimeoutError):
    """An ``expect`` block ended, and its time passed, without the event it waited for."""
