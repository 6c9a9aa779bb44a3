# SPDX-License-Identifier: LGPL-2.1-or-later
"""The decorator ``override`` for Pythons whose ``typing`` lacks it, without a dependency.

It stands apart so that the one place that looks at who reads it, a type checker or Python, is
here. Python 3.12 has ``typing.override``; once that is the oldest Python, this module goes.

Immutable.

Invariants, with a test of its name in ``tests/model/test_overriding.py``:
    transparent   what is decorated is given back itself
"""

from typing import TYPE_CHECKING, TypeVar

__all__ = ["override"]

if TYPE_CHECKING:
    from typing_extensions import override
else:
    _F = TypeVar("_F")

    def override(method: _F) -> _F:
        """Say that *method* overrides one of a base, so that a type checker makes sure."""
        return method
