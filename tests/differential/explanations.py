# SPDX-License-Identifier: LGPL-2.1-or-later
"""Why we differ from libvirt where we do, on purpose: a table with a predicate for each.

A difference that no entry explains fails. Each entry is shown in ``test_explanations.py``: by a
story, or, where libvirt itself tells now this and now that, by what was seen.

Events may need predicates of another form, for several entries are at work in one step: `without`
takes out of what one side told what the entry allows to differ. If both sides are then equal, the
entries that took something out explain the difference.

Immutable.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, cast

from tests.differential.outcome import Difference, Event
from tests.differential.story import Step
from tests.interop.libvirtd.stock_client import Json
from virevents.model import (
    INACTIVE_ID,
    CrashedDetail,
    Lifecycle,
    RunningReason,
    ShutoffReason,
    SuspendedDetail,
)

__all__ = ["EXPLANATIONS", "Explanation", "explain"]

Events = tuple[Event, ...]


def _never(step: Step, difference: Difference) -> bool:
    del step, difference
    return False


def _same(events: Events) -> Events:
    return events


@dataclass(frozen=True, slots=True)
class Explanation:
    """One kind of difference that is meant.

    Attributes:
        name: Its name, in the table that a run prints.
        arm: "memory", the test drivers, or "guests", real QEMU.
        reason: Why we differ.
        explains: Whether a difference after a step is of this kind as a whole.
        without: What is left of one side's events.
        shown_by: A story in which it appears; "" where libvirt does not always tell the same.
    """

    name: str
    arm: str
    reason: str
    explains: Callable[[Step, Difference], bool] = _never
    without: Callable[[Events], Events] = _same
    shown_by: str = ""


def explain(arm: str, step: Step, difference: Difference) -> list[Explanation]:
    """Return the entries that explain *difference*; none if it is unexplained."""
    entries = [entry for entry in EXPLANATIONS if entry.arm == arm]
    whole = [entry for entry in entries if entry.explains(step, difference)]
    if whole or difference.what != "events":
        return whole[:1]
    ours = cast("Events", difference.ours)
    theirs = cast("Events", difference.theirs)
    used = []
    for entry in entries:
        our, their = entry.without(ours), entry.without(theirs)
        if (our, their) != (ours, theirs):
            used.append(entry)
        ours, theirs = our, their
        if ours == theirs:
            return used
    return []


def _is_text_no_xml(step: Step, difference: Difference) -> bool:
    return step.has("garbage") and difference.what == "text"


def _is_said_what_is_there(step: Step, difference: Difference) -> bool:
    has_it = step.verb not in {"pm_suspend", "pm_wakeup"}
    start = "this function is not supported by the connection driver: "
    said = (str(difference.ours), str(difference.theirs))
    return difference.what == "text" and not has_it and all(one.startswith(start) for one in said)


def _is_named_what_is_no_image(step: Step, difference: Difference) -> bool:
    if step.verb != "restore" or difference.what != "text":
        return False
    ours, theirs = str(difference.ours), str(difference.theirs)
    # The second is its word for the error number 0: nothing failed, the file just ended.
    return ours.startswith(f"{theirs} in ") or theirs == f"{ours}: Success"


def _is(event: Event, what: Lifecycle, detail: int | None = None) -> bool:
    event_id, _, _, values = event
    return event_id == "lifecycle" and values[0] == what and detail in {None, values[1]}


def _without_id_of_stopped(events: Events) -> Events:
    return tuple(
        (event_id, name, INACTIVE_ID if _is(event, Lifecycle.STOPPED) else domain_id, values)
        for event in events
        for event_id, name, domain_id, values in [event]
    )


def _pairs(events: Events) -> Iterator[tuple[Event, Event | None]]:
    return zip(events, (*events, None)[1:], strict=True)


def _without_pause_before_panic(events: Events) -> Events:
    return tuple(
        event
        for event, following in _pairs(events)
        if following is None
        or not _is(event, Lifecycle.SUSPENDED, SuspendedDetail.PAUSED)
        or not _is(following, Lifecycle.CRASHED, CrashedDetail.PANICKED)
    )


def _stops_after(events: Events, number: int) -> bool:
    name = events[number][1]
    return any(_is(event, Lifecycle.STOPPED) and event[1] == name for event in events[number:])


def _without_last_words(events: Events) -> Events:
    return tuple(
        event
        for number, event in enumerate(events)
        if event[0] != "controlerror" or not _stops_after(events, number)
    )


def _is_resume_in_vain(step: Step, difference: Difference) -> bool:
    if step.verb != "core_dump" or not step.has("reset"):
        return False
    if difference.what == "events":
        told = [cast("Events", one) for one in (difference.ours, difference.theirs)]
        # Either way it ends, and before it does the guest's shutdown is told.
        return all(_ends_in_order(events) for events in told) and any(
            _is(event, Lifecycle.SUSPENDED, SuspendedDetail.API_ERROR)
            for events in told
            for event in events
        )
    reasons = _differing(difference)
    return reasons == [{ShutoffReason.SHUTDOWN, ShutoffReason.CRASHED}]


def _ends_in_order(events: Events) -> bool:
    steps = [e[3][0] for e in events if _is(e, Lifecycle.SHUTDOWN) or _is(e, Lifecycle.STOPPED)]
    return steps == [Lifecycle.SHUTDOWN, Lifecycle.STOPPED]


def _differing(difference: Difference) -> list[set[Json]]:
    """Return what differs between a domain's facts."""
    if not isinstance(difference.ours, tuple) or not isinstance(difference.theirs, tuple):
        return []
    pairs = zip(difference.ours, difference.theirs, strict=True)
    return [{our, their} for our, their in pairs if our != their]


def _is_reason_left_over(step: Step, difference: Difference) -> bool:
    if step.verb != "core_dump" or not difference.what.startswith("domain "):
        return False
    return _differing(difference) == [{RunningReason.BOOTED, RunningReason.UNPAUSED}]


def _without_repeated_reboots(events: Events) -> Events:
    return tuple(
        event for event, following in _pairs(events) if event[0] != "reboot" or event != following
    )


def _without_passes_of_a_sleeper(events: Events) -> Events:
    wakes = any(event[0] == "pmwakeup" for event in events)
    return tuple(event for event in events if not wakes or event[0] != "migrationiteration")


EXPLANATIONS: Final = (
    Explanation(
        "id-of-stopped",
        "memory",
        "libvirt takes a transient domain that stops off its list without clearing the id first, "
        "so its STOPPED has the id of a domain that no longer runs. Ours has -1, as every event of "
        "a domain that does not run.",
        without=_without_id_of_stopped,
        shown_by="create web1 uuid=1\ndestroy web1\n",
    ),
    Explanation(
        "text-is-no-xml",
        "memory",
        "libvirt gives the words of libxml2, ours those of Python's parser.",
        _is_text_no_xml,
        shown_by="define web1 uuid=1 garbage\n",
    ),
    Explanation(
        "unsupported-in-our-words",
        "memory",
        "Where libvirt names its own function, ours names the operation and lists those that the "
        "driver has.",
        _is_said_what_is_there,
        shown_by="pm_wakeup test\n",
    ),
    Explanation(
        "no-image-is-named",
        "memory",
        "Our error names the file that is no saved domain, and calls no failure a success.",
        _is_named_what_is_no_image,
        shown_by="restore file=garbage\ncore_dump test file=a\nrestore file=a\n",
    ),
    Explanation(
        "id-of-stopped-guest",
        "guests",
        "libvirt makes a STOPPED that QEMU's end leads to while the domain still has its id, one "
        "that destroy leads to after it took the id away. Ours has -1: it does not run.",
        without=_without_id_of_stopped,
        shown_by="create web1 uuid=1\nguest web1 letter=p\n",
    ),
    Explanation(
        "pause-before-panic",
        "guests",
        "libvirt's own race: QEMU stops before it tells of the panic, and whether libvirt tells "
        "of the stop first depends on which of its threads is faster.",
        without=_without_pause_before_panic,
    ),
    Explanation(
        "last-words",
        "guests",
        "libvirt's own race: a monitor that is cut off by the end of its QEMU is a CONTROL_ERROR "
        "or is not, before the STOPPED that follows.",
        without=_without_last_words,
    ),
    Explanation(
        "reboots-counted",
        "guests",
        "libvirt's own race: of the resets that one reboot makes of the machine, it tells one or "
        "two.",
        without=_without_repeated_reboots,
    ),
    Explanation(
        "resume-in-vain",
        "guests",
        "After a dump that resets a machine which on_reboot=destroy ends, libvirt tries to resume "
        "it, and tells now so and now so that it could not. Ours does not try.",
        _is_resume_in_vain,
        shown_by="define web1 uuid=1 on_reboot=destroy\nstart web1\ncore_dump web1 file=a reset\n",
    ),
    Explanation(
        "reason-left-over",
        "guests",
        "libvirt's own race: the reason that it noted for the RESUME of a reboot is sometimes "
        "taken by a later one, that of a dump, whose reason should be that it was unpaused.",
        _is_reason_left_over,
    ),
    Explanation(
        "passes-of-a-sleeper",
        "guests",
        "QEMU's own race: it wakes a sleeping guest for its migration to end, and tells of the "
        "wakeup and of the last pass from two threads.",
        without=_without_passes_of_a_sleeper,
    ),
)
"""Every difference that is meant."""
