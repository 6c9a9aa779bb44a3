# SPDX-License-Identifier: LGPL-2.1-or-later
"""What every domain event is: the base class, the event ids, and the numbering.

The typed events are in modules beside this one, by what they tell about; ``events`` has the
table of all. This is all of an event that the dispatcher knows.

Locking:
    None. An event is immutable once pushed; before that its maker alone has it, and the queue
    numbers it under its own lock (``number``).

Invariants, each with a test of its name in ``tests/model/test_event.py``:
    numbered_once_pushed   an event's sequence is 0 until ``number`` gives it one
    base_is_abstract       ``DomainEvent`` itself cannot be made
"""

from collections.abc import Callable
from typing import ClassVar, Final

from virevents.model.enums import WireEnum
from virevents.model.identity import DomainIdentity

__all__ = ["DomainEvent", "EventId", "number"]


class EventId(WireEnum):
    """The kinds of domain event, with libvirt's numbers and virsh's words."""

    LIFECYCLE = 0
    REBOOT = 1
    RTC_CHANGE = 2
    WATCHDOG = 3
    IO_ERROR = 4
    GRAPHICS = 5
    IO_ERROR_REASON = 6
    CONTROL_ERROR = 7
    BLOCK_JOB = 8
    DISK_CHANGE = 9
    TRAY_CHANGE = 10
    PM_WAKEUP = 11
    PM_SUSPEND = 12
    BALLOON_CHANGE = 13
    PM_SUSPEND_DISK = 14
    DEVICE_REMOVED = 15
    BLOCK_JOB_2 = 16
    TUNABLE = 17
    AGENT_LIFECYCLE = 18
    DEVICE_ADDED = 19
    MIGRATION_ITERATION = 20
    JOB_COMPLETED = 21
    DEVICE_REMOVAL_FAILED = 22
    METADATA_CHANGE = 23
    BLOCK_THRESHOLD = 24
    MEMORY_FAILURE = 25
    MEMORY_DEVICE_SIZE_CHANGE = 26


class DomainEvent:
    """Something that happened to a domain: an immutable value that holds nothing alive.

    Each kind is a subclass, made by ``value_class``, whose constructor takes the domain, the
    facts of its kind, the time, and (for who decodes or copies an event) the sequence number.
    Two events are equal when their kinds and all their fields are, time and sequence included.
    """

    __slots__ = ("__weakref__", "_domain", "_sequence", "_time")

    _domain: DomainIdentity
    _time: float
    _sequence: int
    event_id: ClassVar[EventId]
    """Of which kind the event is."""

    def __init__(self) -> None:
        """Refuse: only a kind of event can be made.

        Raises:
            TypeError: Always.
        """
        message = f"{type(self).__qualname__} cannot be made: make one of its subclasses"
        raise TypeError(message)

    # For what is declared here; each subclass has faster ones of its own (``value_class``).

    @property
    def domain(self) -> DomainIdentity:
        """The domain as it was then; not a live object."""
        return self._domain

    @property
    def time(self) -> float:
        """When it happened: wall clock, seconds since the epoch."""
        return self._time

    @property
    def sequence(self) -> int:
        """The number that the queue's push gave it; 0 before."""
        return self._sequence


number: Final[Callable[[DomainEvent, int], None]] = vars(DomainEvent)["_sequence"].__set__
"""Give an event its sequence number. For ``EventQueue.push`` alone, once, before any other thread
can see the event: it changes the event's hash. (The slot's own setter: nothing is faster.)"""
