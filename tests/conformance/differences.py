# SPDX-License-Identifier: LGPL-2.1-or-later
"""What our QEMU driver does in another way than libvirt's, on purpose: each with the reason.

``test_golden_qemu.py`` holds us to what is written here as it holds us to the recording
everywhere else, and sees that libvirt really does not do the same.

Immutable.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from tests.conformance.lifecycle.outcome import Change

__all__ = ["DIFFERENCES", "Difference"]


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that is done in another way.

    Attributes:
        what: In a sentence.
        why: The reason.
        where: For each scenario, by the number of the step, what is ours in place of libvirt's.
    """

    what: str
    why: str
    where: Mapping[str, Mapping[int, Change]]


DIFFERENCES: Final[tuple[Difference, ...]] = ()
