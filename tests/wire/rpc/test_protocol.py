# SPDX-License-Identifier: LGPL-2.1-or-later
"""The protocol's table, as it was generated."""

import subprocess
import sys
from pathlib import Path

from virevents.wire.rpc import protocol
from virevents.wire.rpc.protocol import LAYOUTS

_GENERATOR = Path(__file__).parents[3] / "tools" / "generate_rpc_protocol.py"


def test_the_table_is_whole() -> None:
    assert len(protocol.REMOTE_PROCEDURES) == 443
    assert protocol.LIBVIRT_VERSION == 9_000_000
    events = [one for one in protocol.REMOTE_PROCEDURES.values() if one.event_id is not None]
    assert {one.event_id for one in events if not one.is_legacy} == set(range(27))
    assert {one.event_id for one in events if one.is_legacy} == set(range(16))
    for procedures in protocol.PROCEDURES.values():
        for number, one in procedures.items():
            assert one.number == number
            for cls in (one.args, one.ret, one.message):
                assert cls is None or cls in LAYOUTS


def test_it_is_what_the_data_says() -> None:
    done = subprocess.run([sys.executable, _GENERATOR, "--check"], check=False)
    assert done.returncode == 0
