# SPDX-License-Identifier: LGPL-2.1-or-later
"""``python -m virevents``: the command line."""

import sys

from virevents.cli import main

if __name__ == "__main__":
    sys.exit(main())
