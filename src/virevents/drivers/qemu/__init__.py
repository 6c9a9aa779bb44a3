# SPDX-License-Identifier: LGPL-2.1-or-later
"""The QEMU driver: a real ``qemu-system-*`` process behind each running domain.

It runs on Linux only; elsewhere this imports all the same, and opening says what is missing.
"""

from virevents.drivers.qemu.factory import QEMU

__all__ = ["QEMU"]
