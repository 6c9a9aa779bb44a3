# SPDX-License-Identifier: LGPL-2.1-or-later
"""The test driver: domains in memory, with the behaviour of libvirt's test driver."""

from virevents.drivers.test.driver import TestDriver
from virevents.drivers.test.factory import TEST

__all__ = ["TEST", "TestDriver"]
