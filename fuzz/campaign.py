# SPDX-License-Identifier: LGPL-2.1-or-later
"""One fuzzing campaign: rounds by chance for some time, a count of their ends, a table.

    fuzz/fuzz_NAME.py [--seconds S] [--seed N]

A round gets a generator of its own, seeded by the campaign's seed and its number, and says how it
ended in a word or two. Whatever it raises is a miss: the input that did it is in the error, the
numbers that make it again are printed, and the campaign goes on; it ends with 1 then.
"""

import argparse
import random
import sys
import traceback
from collections import Counter
from collections.abc import Callable
from typing import Final

from virevents.clock import monotonic

__all__ = ["run_campaign"]

_SHOWN: Final = 5


def run_campaign(title: str, one_round: Callable[[random.Random], str]) -> int:
    """Run rounds for the time that the command line says; return the program's status.

    Args:
        title: What is fuzzed.
        one_round: One round; returns the name of its end.
    """
    options = _parse(title)
    print(f"{title}: {options.seconds:g} s, seed {options.seed}", flush=True)
    ends: Counter[str] = Counter()
    misses = 0
    deadline = monotonic() + options.seconds
    number = options.first
    last = options.first + options.rounds if options.rounds else sys.maxsize
    while number < last and monotonic() < deadline:
        try:
            ends[one_round(random.Random(f"{options.seed}/{number}"))] += 1
        except Exception:  # noqa: BLE001  (that none comes is what is tried here)
            misses += 1
            if misses <= _SHOWN:
                again = f"--seed {options.seed} --first {number} --rounds 1"
                print(f"MISS in round {number}: again with {again}")
                traceback.print_exc(file=sys.stdout)
        number += 1
    return _print_table(ends, misses)


def _parse(title: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=f"Fuzz {title}.")
    parser.add_argument("--seconds", type=float, default=60.0, help="how long (default: 60)")
    parser.add_argument("--seed", type=int, default=1, help="the campaign's seed (default: 1)")
    parser.add_argument("--first", type=int, default=0, help="the first round's number")
    parser.add_argument("--rounds", type=int, default=0, help="end after so many; 0: by time only")
    return parser.parse_args()


def _print_table(ends: Counter[str], misses: int) -> int:
    rounds = sum(ends.values()) + misses
    print(f"{'rounds':<50}{rounds:>12,}")
    for end, count in ends.most_common():
        print(f"  {end:<48}{count:>12,}")
    print(f"  {'MISSED: an end that is not documented':<48}{misses:>12,}")
    if not rounds:
        print("nothing was tried: too little time")
    return int(bool(misses) or not rounds)
