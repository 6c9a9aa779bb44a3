# SPDX-License-Identifier: LGPL-2.1-or-later
"""Records the scenarios from a real libvirtd with a real QEMU; run from the top of the checkout.

    python -m tools.record_libvirt_lifecycle [--times N] [SCENARIO...]

Named scenarios replace their records; without a name all are recorded. Needs root, libvirtd,
python3-libvirt and qemu-system-x86_64; all scenarios three times take about half an hour, most of
it spent on waiting whether something more is told.
"""

import argparse
from contextlib import closing
from typing import Final, cast

from tests.conformance.lifecycle.recording import (
    GOLDEN,
    WITH_IDENTITIES,
    Recording,
    load,
    merge,
    write,
    write_identities,
)
from tests.conformance.lifecycle.scenarios import SCENARIOS
from tests.conformance.lifecycle.theirs import Theirs
from tests.interop.libvirtd.private_libvirtd import PrivateLibvirtd
from tests.interop.libvirtd.stock_client import StockClient
from virevents.errors import OperationTimeoutError

_TIMES: Final = 3


def main() -> None:
    """Record what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=_TIMES)
    parser.add_argument("--identities", action="store_true", help="record which events have an id")
    parser.add_argument("scenarios", nargs="*", choices=[[], *SCENARIOS], metavar="SCENARIO")
    arguments = parser.parse_args()
    if arguments.identities:
        _record_identities()
        return
    names: list[str] = arguments.scenarios or list(SCENARIOS)
    recording = load() if GOLDEN.exists() else Recording(versions={}, scenarios={})
    for name in set(recording["scenarios"]) - set(SCENARIOS):
        del recording["scenarios"][name]
    while names:
        with PrivateLibvirtd() as libvirtd:
            recording["versions"] = _versions(libvirtd)
            with closing(Theirs(libvirtd)) as theirs:
                names = _record(names, arguments.times, theirs, recording)


def _record(names: list[str], times: int, theirs: Theirs, recording: Recording) -> list[str]:
    """Record one scenario after the other; after one that fails, the rest is for a new libvirtd."""
    for number, name in enumerate(names, 1):
        print(f"{len(names) - number} to go after {name}", flush=True)
        try:
            plays = [theirs.play(SCENARIOS[name]) for _ in range(times)]
        except OperationTimeoutError as error:
            print(f"  NOT RECORDED: {error}", flush=True)
            return names[number:]
        recording["scenarios"][name] = merge(SCENARIOS[name], plays)
        write(recording)
    return []


def _record_identities() -> None:
    found = {}
    with PrivateLibvirtd() as libvirtd, closing(Theirs(libvirtd)) as theirs:
        for name in WITH_IDENTITIES:
            theirs.identities.clear()
            theirs.play(SCENARIOS[name])
            found[name] = theirs.identities[:]
    write_identities(found)


def _versions(libvirtd: PrivateLibvirtd) -> dict[str, str]:
    with StockClient(libvirtd.uri()) as client:
        found = cast("dict[str, int]", client.ask("versions").result)
    return {who: _dotted(number) for who, number in found.items()}


def _dotted(number: int) -> str:
    """Write a version as people do; libvirt has 7002022 for 7.2.22."""
    return f"{number // 1_000_000}.{number // 1000 % 1000}.{number % 1000}"


if __name__ == "__main__":
    main()
