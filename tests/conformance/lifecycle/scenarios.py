# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every scenario by name.

Immutable.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from tests.conformance.lifecycle import (
    definition_scenarios,
    golden_scenarios,
    guest_scenarios,
    manager_scenarios,
    refusal_scenarios,
    running_scenarios,
    saving_scenarios,
    signal_scenarios,
)
from tests.conformance.lifecycle.scenario import Scenario

__all__ = ["GOLDEN", "SCENARIOS"]

GOLDEN: Final = tuple(scenario.name for scenario in golden_scenarios.ALL)
"""The rows of the golden sample."""

_ALL: Final = (
    *golden_scenarios.ALL,
    *definition_scenarios.ALL,
    *running_scenarios.ALL,
    *guest_scenarios.ALL,
    *saving_scenarios.ALL,
    *signal_scenarios.ALL,
    *manager_scenarios.ALL,
    *refusal_scenarios.ALL,
)

SCENARIOS: Final[Mapping[str, Scenario]] = MappingProxyType({one.name: one for one in _ALL})
"""All of them."""
