# SPDX-License-Identifier: LGPL-2.1-or-later
"""Why a lifecycle event happened, beyond libvirt's detail: on whose wish, how, as part of what.

It stands apart from the detail because the detail is libvirt's number and goes over the wire,
while this is what a driver knows of its own domains. Without it a user who sees STOPPED has to
wait whether a STARTED follows, to learn that it was a reboot.

Immutable.

Invariants, each with a test of its name in ``tests/model/test_cause.py``:
    unknown_by_default   an event whose maker says nothing has ``UNKNOWN_CAUSE``
    not_on_the_wire      the words of a requester are our own, and unique
"""

from typing import Final

from virevents.model.enums import WireEnum
from virevents.model.value import value_class

__all__ = ["UNKNOWN_CAUSE", "Cause", "RequestedBy"]


class RequestedBy(WireEnum):
    """On whose wish it happened. The numbers are ours: libvirt has none."""

    UNKNOWN = 0
    """Nobody can tell, for example a hypervisor's process that crashed."""
    CALL = 1
    """A call of this library's, or of one of its clients."""
    GUEST = 2
    """The guest: it powered off, rebooted, crashed or went to sleep by itself or by its user."""
    HOST_SIGNAL = 3
    """A signal that somebody on the host sent to the hypervisor's process."""


@value_class
class Cause:
    """Why it happened.

    Attributes:
        requested_by: On whose wish.
        is_graceful: Whether the guest had the chance to end or pause in order: True for a guest
            that shut itself down, False for one that was destroyed, crashed or killed, None where
            the question makes no sense or has no answer.
        is_reboot: Whether it is part of a reboot: the domain comes back by itself.
        is_found_at_start: Whether it happened while nobody managed the domain, and was found out
            when its driver was opened; the event's time is then that of finding out.
    """

    requested_by: RequestedBy = RequestedBy.UNKNOWN
    is_graceful: bool | None = None
    is_reboot: bool = False
    is_found_at_start: bool = False


UNKNOWN_CAUSE: Final = Cause()
"""Nothing is known of the cause."""
