# SPDX-License-Identifier: LGPL-2.1-or-later
"""From a definition to the QEMU that runs it: what is refused, what is made ready, what is said.

It stands apart from the life of a domain: nothing here knows a process or an event. The argument
list is a function of a definition and of what was opened for the start (`Resources`).
"""

from virevents.drivers.qemu.arguments.characters import AGENT, agent_socket, channel_socket
from virevents.drivers.qemu.arguments.command_line import make_command_line
from virevents.drivers.qemu.arguments.drives import describe_channel, describe_disk
from virevents.drivers.qemu.arguments.firmware import variables_of
from virevents.drivers.qemu.arguments.preparing import Prepared, prepared
from virevents.drivers.qemu.arguments.resources import Resources
from virevents.drivers.qemu.arguments.settings import settings_of
from virevents.drivers.qemu.arguments.support import (
    check_startable,
    check_supported,
    find_emulator,
)

__all__ = [
    "AGENT",
    "Prepared",
    "Resources",
    "agent_socket",
    "channel_socket",
    "check_startable",
    "check_supported",
    "describe_channel",
    "describe_disk",
    "find_emulator",
    "make_command_line",
    "prepared",
    "settings_of",
    "variables_of",
]
