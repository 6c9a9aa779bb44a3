# SPDX-License-Identifier: LGPL-2.1-or-later
"""``python -m virevents`` is the program, and importing it runs nothing."""

import importlib

from virevents.cli import main


def test_importing_it_runs_nothing() -> None:
    assert importlib.import_module("virevents.__main__").main is main
