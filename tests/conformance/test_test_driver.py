# SPDX-License-Identifier: LGPL-2.1-or-later
"""The test driver passes the conformance kit."""

from virevents.drivers.test import TestDriver
from virevents.model import DomainState
from virevents.testing.conformance import Profile
from virevents.testing.conformance.suite import ConformanceSuite


class TestTestDriver(ConformanceSuite):
    profile = Profile(
        "test",
        uri=lambda _: "test:///default",
        xml=lambda _, name, uuid: (
            f"<domain type='test'><name>{name}</name><uuid>{uuid}</uuid><memory>1024</memory>"
            "<vcpu>1</vcpu><os><type>hvm</type></os></domain>"
        ),
        capabilities=TestDriver.capabilities,
        # As libvirt's test driver, which forgets that the domain was saved when it starts.
        events={
            "start_managed_save": ("started booted",),
            "start_saved_paused": ("started booted",),
        },
        states={"start_saved_paused": DomainState.RUNNING},
        # It has none of these flags, as libvirt's has none.
        refused=frozenset(
            {
                "create_paused",
                "create_autodestroy",
                "start_paused",
                "start_autodestroy",
                "start_force_boot",
                "save_paused",
                "restore_paused",
                "restore_running",
                "undefine_nvram",
                "core_dump_live",
                "core_dump_reset",
            }
        ),
    )
