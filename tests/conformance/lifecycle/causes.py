# SPDX-License-Identifier: LGPL-2.1-or-later
"""The causes that our lifecycle events must have in the scenarios: what libvirt does not tell.

They follow from the step: on whose wish it is, and whether the guest had the chance to act.

Immutable.
"""

import signal
from collections.abc import Iterable
from typing import Final

from tests.conformance.lifecycle.machine import Json, Machine
from tests.conformance.lifecycle.scenario import Scenario, Step, call

__all__ = ["expected_causes"]

_FROM_HOST: Final = frozenset({signal.SIGTERM, signal.SIGINT, signal.SIGHUP})


def expected_causes(scenario: Scenario, number: int, events: Iterable[list[Json]]) -> list[str]:
    """Give the cause of each lifecycle event that a step of a scenario leads to."""
    step = scenario.steps[number] if number < len(scenario.steps) else call("destroy")
    if step.verb == "return":
        step = scenario.steps[number - 1]  # what happened meanwhile is found
        return [f"{cause} found" for cause in _causes(scenario, step, events)]
    return _causes(scenario, step, events)


def _causes(scenario: Scenario, step: Step, events: Iterable[list[Json]]) -> list[str]:
    lifecycle = [(str(event[2]), str(event[3])) for event in events if event[0] == "lifecycle"]
    causes = [_cause(step, event, detail) for event, detail in lifecycle]
    # A crash that is to be followed by a restart is part of a reboot, and so is what follows.
    is_reboot = step.arguments[:1] == ("c",) and _restarts(scenario)
    return [f"{cause} reboot" if is_reboot and cause != "call" else cause for cause in causes]


def _restarts(scenario: Scenario) -> bool:
    machines = [word for step in scenario.steps for word in step.arguments]
    return any(isinstance(one, Machine) and one.on_crash.endswith("restart") for one in machines)


def _cause(step: Step, event: str, detail: str) -> str:
    if event in {"defined", "undefined"}:
        return "call"
    if (event, detail) == ("suspended", "ioerror"):
        return "unknown"
    if step.verb == "signal":
        return _of_signal(int(str(step.arguments[0])))
    if step.verb == "guest":
        return _of_guest(str(step.arguments[0]), event, detail)
    return _of_call(step, event, detail)


def _of_signal(number: int) -> str:
    return "host-signal abrupt" if number in _FROM_HOST else "unknown abrupt"


def _of_guest(letter: str, event: str, detail: str) -> str:
    if event in {"crashed", "stopped"} and detail in {"panicked", "crashloaded", "crashed"}:
        return "guest abrupt"
    if detail == "failed":  # the watchdog's poweroff
        return "guest abrupt"
    return "guest graceful" if event in {"shutdown", "stopped", "pmsuspended"} else "guest"


def _of_call(step: Step, event: str, detail: str) -> str:
    if event not in {"shutdown", "stopped"}:
        return "call"
    if detail == "saved" or step.verb in {"shutdown", "reboot"}:
        return "call graceful"
    # A guest that is resumed does what it was about to do.
    return "guest graceful" if step.verb == "resume" else "call abrupt"
