# SPDX-License-Identifier: LGPL-2.1-or-later
"""The conformance kit: one suite of tests that every driver passes.

An author writes a profile and a class::

    from virevents.testing.conformance import Profile
    from virevents.testing.conformance.suite import ConformanceSuite

    class TestMyDriver(ConformanceSuite):
        profile = Profile("mine", uri=..., xml=..., capabilities=MyDriver.capabilities)

and runs pytest. What the driver does not declare is not skipped: the suite sees that it is
refused, and lists it at the end of the run. ``docs/drivers.md`` leads through it.

Only ``virevents.testing.conformance.suite`` imports pytest.

Immutable.
"""

from virevents.testing.conformance.profile import LIBVIRT_EVENTS, Profile, Words

__all__ = ["LIBVIRT_EVENTS", "Profile", "Words"]
