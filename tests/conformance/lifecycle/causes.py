# SPDX-License-Identifier: LGPL-2.1-or-later
"""The causes that our lifecycle events must have in the scenarios: what libvirt does not tell.

They follow from the step: on whose wish it is, and whether the guest had the chance to act.

Immutable.
"""

import signal
from collections.abc import Iterable
from typing import Final

from tests.conformance.lifecycle.machine import Json
from tests.conformance.lifecycle.scenario import Scenario, Step

__all__ = ["expected_causes"]

_FROM_HOST: Final = frozenset({signal.SIGTERM, signal.SIGINT, signal.SIGHUP})
_OFF: Final = frozenset({"p", "d"})
_RESET: Final = frozenset({"r", "k", "t"})


def expected_causes(scenario: Scenario, number: int, events: Iterable[list[Json]]) -> list[str]:
    """Give the cause of each lifecycle event that a step of a scenario leads to."""
    step = scenario.steps[number] if number < len(scenario.steps) else None
    lifecycle = [(str(event[2]), str(event[3])) for event in events if event[0] == "lifecycle"]
    return [_cause(step, event, detail) for event, detail in lifecycle]


def _cause(step: Step | None, event: str, detail: str) -> str:
    if event in {"defined", "undefined"}:
        return "call"
    if step is None or (step.who == "call" and step.verb in {"destroy", "close"}):
        return "call abrupt"
    if step.verb == "signal":
        return _of_signal(int(str(step.arguments[0])))
    if step.verb == "guest":
        return _of_guest(str(step.arguments[0]), event, detail)
    return _of_call(step, event, detail)


def _of_signal(number: int) -> str:
    return "host-signal abrupt" if number in _FROM_HOST else "unknown abrupt"


def _of_guest(letter: str, event: str, detail: str) -> str:
    if letter == "b":
        return "unknown"
    if letter in {"c", "l"}:
        return "guest abrupt"
    return "guest graceful" if event in {"shutdown", "stopped", "pmsuspended"} else "guest"


def _of_call(step: Step, event: str, detail: str) -> str:
    if event == "shutdown":
        return "call graceful"
    if event == "stopped":
        return "call graceful" if step.verb in {"shutdown", "reboot"} else "call"
    return "call"
