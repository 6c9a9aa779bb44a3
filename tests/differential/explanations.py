# SPDX-License-Identifier: LGPL-2.1-or-later
"""Why we differ from libvirt where we do, on purpose: a table with a predicate for each.

A difference that no entry explains fails. Each entry has a story that shows it, which is played
in ``test_explanations.py``: an entry that explains nothing any more fails as well.

Immutable.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, cast

from tests.differential.outcome import Difference, Event
from tests.differential.story import Step
from virevents.model import INACTIVE_ID, Lifecycle

__all__ = ["EXPLANATIONS", "Explanation", "explanation_of"]


@dataclass(frozen=True, slots=True)
class Explanation:
    """One kind of difference that is meant.

    Attributes:
        name: Its name, in the table that a run prints.
        arm: "memory", the test drivers, or "guests", real QEMU.
        reason: Why we differ.
        explains: Whether a difference after a step is of this kind.
        shown_by: A story in which it appears.
    """

    name: str
    arm: str
    reason: str
    explains: Callable[[Step, Difference], bool]
    shown_by: str


def explanation_of(arm: str, step: Step, difference: Difference) -> Explanation | None:
    """Return the first entry that explains *difference*."""
    entries = (entry for entry in EXPLANATIONS if entry.arm == arm)
    return next((entry for entry in entries if entry.explains(step, difference)), None)


def _is_text_no_xml(step: Step, difference: Difference) -> bool:
    return step.has("garbage") and difference.what in {"code", "text"}


def _without_id(event: Event) -> Event:
    event_id, name, domain_id, values = event
    is_stopped = event_id == "lifecycle" and values[0] == Lifecycle.STOPPED
    return event_id, name, INACTIVE_ID if is_stopped else domain_id, values


def _is_id_of_stopped(step: Step, difference: Difference) -> bool:
    del step
    if difference.what != "events":
        return False
    ours, theirs = (
        [_without_id(event) for event in cast("tuple[Event, ...]", told)]
        for told in (difference.ours, difference.theirs)
    )
    return ours == theirs


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


EXPLANATIONS: Final = (
    Explanation(
        "id-of-stopped",
        "memory",
        "libvirt takes a transient domain that stops off its list without clearing the id first, "
        "so its STOPPED has the id of a domain that no longer runs. Ours has -1, as every event of "
        "a domain that does not run.",
        _is_id_of_stopped,
        "create web1 uuid=1\ndestroy web1\n",
    ),
    Explanation(
        "text-is-no-xml",
        "memory",
        "libvirt gives the words of libxml2 and a number of their own (VIR_ERR_XML_DETAIL, 35). "
        "Ours is VIR_ERR_XML_ERROR (27) for all that is wrong with a definition; element and line "
        "are attributes of the error.",
        _is_text_no_xml,
        "define web1 uuid=1 garbage\n",
    ),
    Explanation(
        "unsupported-in-our-words",
        "memory",
        "Where libvirt names its own function, ours names the operation and lists those that the "
        "driver has.",
        _is_said_what_is_there,
        "pm_wakeup test\n",
    ),
    Explanation(
        "no-image-is-named",
        "memory",
        "Our error names the file that is no saved domain, and calls no failure a success.",
        _is_named_what_is_no_image,
        "restore file=garbage\ncore_dump test file=a\nrestore file=a\n",
    ),
)
"""Every difference that is meant."""
