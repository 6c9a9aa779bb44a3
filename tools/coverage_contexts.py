# SPDX-License-Identifier: LGPL-2.1-or-later
"""A plugin of pytest that tells coverage which test file is running.

Coverage's own ``dynamic_context`` looks for a function named ``test...`` on the stack and finds
hypothesis's before ours. Loaded by script/test, with ``-p tools.coverage_contexts``.
"""

from collections.abc import Generator
from pathlib import Path

import coverage
import pytest


def context_of(path: Path, root: Path) -> str:
    """The context in which the tests of *path* run: the path below *root*, with slashes."""
    return path.relative_to(root).as_posix()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Run one test, its fixtures included, in the context of its file."""
    measured = coverage.Coverage.current()
    if measured is not None:
        measured.switch_context(context_of(item.path, item.config.rootpath))
    return (yield)
