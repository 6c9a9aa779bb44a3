# SPDX-License-Identifier: LGPL-2.1-or-later
"""What these tests share."""

from tests.loop.process_wide import uvloop_has_its_own

__all__ = ["uvloop_has_its_own"]
