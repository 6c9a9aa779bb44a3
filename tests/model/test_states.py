# SPDX-License-Identifier: LGPL-2.1-or-later
"""States of a domain and their reasons."""

import pytest

from tests.model.libvirt_table import members, shown_names
from virevents.model import (
    REASON_ENUMS,
    DomainState,
    RunningReason,
    StateAndReason,
    UnknownNumber,
)

_SPELLED = {DomainState.PMSUSPENDED: "PMSuspended"}


def test_states_are_libvirts() -> None:
    assert members(DomainState) == shown_names("virDomainState", "VIR_DOMAIN_")


@pytest.mark.parametrize("state", list(DomainState))
def test_all_reasons(state: DomainState) -> None:
    spelled = _SPELLED.get(state, state.name.capitalize())
    theirs = shown_names(f"virDomain{spelled}Reason", f"VIR_DOMAIN_{state.name}_")
    assert members(REASON_ENUMS[state]) == theirs
    for number in theirs.values():
        found = StateAndReason.from_numbers(int(state), number)
        assert found == (state, REASON_ENUMS[state](number))


def test_newer_peer() -> None:
    found = StateAndReason.from_numbers(1, 77)
    assert found == StateAndReason(DomainState.RUNNING, UnknownNumber(77))
    assert str(found.reason) == "unknown-77"
    with pytest.raises(ValueError, match="77 is not a valid DomainState"):
        StateAndReason.from_numbers(77, 0)


def test_unpacks() -> None:
    state, reason = StateAndReason(DomainState.RUNNING, RunningReason.BOOTED)
    assert (str(state), str(reason)) == ("running", "booted")
