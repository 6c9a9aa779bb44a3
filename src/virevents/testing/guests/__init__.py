# SPDX-License-Identifier: LGPL-2.1-or-later
"""Real guests for tests: tiny programs that make a real QEMU emit one event each.

They are built here, byte by byte, when asked for: no image file, no assembler, no
download. A whole test (start QEMU, see the event, stop it) takes under 50 ms on a quiet
machine. Pin ``-accel tcg``: under KVM these guests make no progress on some hosts.

    path = GUESTS["rom-poweroff"].write(tmp_path)     # then: qemu-system-x86_64 -bios path

One of them, "rom-agent", does what it is told over its serial line: ``AgentLine`` is the other
end of that.

Immutable, but for an ``AgentLine``: nothing else here changes after import.
"""

from virevents.testing.guests.catalogue import AGENT_READY, GUESTS, AgentCommand, Guest
from virevents.testing.guests.line import AgentLine

__all__ = ["AGENT_READY", "GUESTS", "AgentCommand", "AgentLine", "Guest"]
