# SPDX-License-Identifier: LGPL-2.1-or-later
"""Plays stories by chance on libvirt and on us; the long form of the differential tests.

    python -m tests.differential memory --stories 500
    python -m tests.differential guests --stories 100 --side-by-side 4
    python -m tests.differential guests --replay STORY.txt
    python -m tests.differential control --stories 100

The last plays the stories of real guests on libvirt and on libvirt: it finds where libvirt does not
always tell the same, and shows that this comparison adds nothing of its own.

It prints a table, and each story that failed, made short, in the form in which it can be replayed.
Its status is 1 if anything differs that the table of explanations does not explain.
"""

import argparse
import sys
from pathlib import Path

from tests.differential.running import (
    MAKE,
    libvirt_for,
    play_alone,
    play_side_by_side,
    table,
    work,
)
from tests.differential.story import read


def main() -> int:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(prog="tests.differential", description=__doc__)
    parser.add_argument("arm", choices=sorted(MAKE))
    parser.add_argument("--stories", type=int, default=40)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--side-by-side", type=int, default=2)
    parser.add_argument("--replay", type=Path, help="a file with one story")
    parser.add_argument("--work", nargs="+", metavar=("URI", "SEED"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.work:
        uri, *seeds = given.work
        work(given.arm, uri, [int(seed) for seed in seeds], given.steps)
        return 0
    if given.replay:
        with libvirt_for(given.arm) as uri:
            verdict = play_alone(given.arm, uri, read(given.replay.read_text()))
        sys.stdout.write(f"{verdict}explained: {dict(verdict.explained)}\n")
        return 1 if verdict.unexplained else 0
    seeds = range(given.first_seed, given.first_seed + given.stories)
    reports = []
    for report in play_side_by_side(given.arm, seeds, given.steps, given.side_by_side):
        reports.append(report)
        if report.failed:
            sys.stdout.write(f"seed {report.seed}\n{report.failed}\n")
            sys.stdout.flush()
    sys.stdout.write(table(reports))
    return 1 if any(report.failed for report in reports) else 0


if __name__ == "__main__":
    sys.exit(main())
