# SPDX-License-Identifier: LGPL-2.1-or-later
"""Thread-safe lifecycle events of virtual machines, over libvirt's own words and wire.

This module only re-exports the public names; nothing is defined here but the version.

Immutable.
"""

from typing import Final

__all__ = ["__version__"]

__version__: Final = "0.1.0"
