# SPDX-License-Identifier: LGPL-2.1-or-later
"""The command line: parses arguments, composes the rest, prints; decides nothing.

``main`` is the ``virevents`` program; ``docs/cli.md`` is its manual.
"""

from virevents.cli.app import main

__all__ = ["main"]
