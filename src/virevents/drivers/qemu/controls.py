# SPDX-License-Identifier: LGPL-2.1-or-later
"""Controls of a domain that runs: pause it, let it go on, wake it, reset it, end it.

It stands apart from starting and saving, because all of this is one command or one signal. What
each state allows, and in which words it refuses, is as a real libvirtd was seen to do it.

Locking:
    A call takes the domain's turn and waits under it for the loop thread. `destroy` takes no
    turn: it notes its cause and kills, so it never waits behind a call that hangs. `shutdown`
    waits for the guest's end with nothing held.

Invariants, each with a test of its name in ``tests/drivers/qemu/test_controls.py``:
    golden           every operation makes libvirt's sequence of events
    destroy_at_once  `destroy` ends a domain whose QEMU hangs in another call
    waits_free       `shutdown` with a deadline holds up no other call on the domain
    owned            what an owner started ends with it, and nothing else
"""

from contextlib import suppress
from pathlib import Path
from typing import Final

from virevents.clock import monotonic
from virevents.definition import LifecycleAction
from virevents.drivers.qemu.estate import Estate, invalid, run_of, state_of
from virevents.drivers.qemu.run import QemuDomain, QemuRun
from virevents.drivers.qemu.transitions import Happening
from virevents.errors import (
    ClosedError,
    HostError,
    LoopStoppedError,
    OperationTimeoutError,
)
from virevents.model import DomainState, PausedReason, RunningReason

__all__ = ["Controls"]

# How long QEMU may take to obey SIGTERM before it is killed.
_DESTROY_PATIENCE: Final = 5.0
# Likewise of what ends with a connection, whose own end is to take less than 5 s (C11).
_OWNED_PATIENCE: Final = 2.0
# How long it may take to obey when it is not to be killed (libvirt: 15 s).
_GRACEFUL_WITHIN: Final = 15.0
# How long a killed QEMU may take to be gone.
_GONE_WITHIN: Final = 15.0

_RESUMABLE: Final = frozenset({DomainState.PAUSED, DomainState.CRASHED, DomainState.SHUTDOWN})


class Controls:
    """The operations on a domain that runs.

    Args:
        estate: What they share with the others.
    """

    def __init__(self, estate: Estate) -> None:
        self._estate: Final = estate

    def suspend(self, uuid: str) -> None:
        """See ``Driver.suspend``; of a crashed domain it is accepted and changes nothing."""
        with self._estate.turn(uuid) as domain:
            run, state = self._estate.active_run(domain), state_of(domain)
            if state is DomainState.PMSUSPENDED:
                raise invalid(domain, "domain is pmsuspended", "a domain that does not sleep")
            if state is DomainState.RUNNING:
                self._estate.on_loop(lambda: run.stop(PausedReason.USER), "the suspension")

    def resume(self, uuid: str) -> None:
        """See ``Driver.resume``; a crashed domain can be resumed, a sleeping one is woken."""
        with self._estate.turn(uuid) as domain:
            run, state = self._estate.active_run(domain), state_of(domain)
            if state not in _RESUMABLE:
                already = "already " if state is DomainState.RUNNING else ""
                raise invalid(domain, f"domain is {already}{state}", "a paused domain")
            if state is not DomainState.SHUTDOWN:
                self._estate.on_loop(lambda: run.cont(RunningReason.UNPAUSED), "the resumption")

    def shutdown(self, uuid: str, *, timeout: float | None, force: bool) -> None:
        """See ``Driver.shutdown``."""
        begun = monotonic()
        with self._estate.turn(uuid) as domain:
            run = self._estate.active_run(domain)
            if state_of(domain) is not DomainState.RUNNING:
                raise invalid(domain, "domain is not running", "a running domain")
            is_reboot = run.definition.on_poweroff is LifecycleAction.RESTART
            self._press(run, is_reboot=is_reboot)
        if timeout is None or run.ended.wait(max(0.0, begun + timeout - monotonic())):
            self._refuse_detached(run)
        elif force:
            self._destroy(run, _DESTROY_PATIENCE)
        else:
            raise OperationTimeoutError(
                f"domain {domain.identity.name} did not shut down within {timeout:g} s"
            )

    def reboot(self, uuid: str) -> None:
        """See ``Driver.reboot``: libvirt presses the power button and makes a reboot of it."""
        with self._estate.turn(uuid) as domain:
            run = self._estate.active_run(domain)
            # libvirt: where a reboot is to be the end, so is this.
            is_reboot = run.definition.on_reboot is not LifecycleAction.DESTROY
            self._press(run, is_reboot=is_reboot)

    def _press(self, run: QemuRun, *, is_reboot: bool) -> None:
        self._estate.on_loop(
            lambda: run.press_power_button(is_reboot=is_reboot), "the press of the power button"
        )

    def reset(self, uuid: str) -> None:
        """See ``Driver.reset``; a paused domain stays paused."""
        with self._estate.turn(uuid) as domain:
            run = self._estate.active_run(domain)
            self._estate.on_loop(run.reset, "the reset")

    def pm_wakeup(self, uuid: str) -> None:
        """See ``Driver.pm_wakeup``."""
        with self._estate.turn(uuid) as domain:
            run = self._estate.active_run(domain)
            self._estate.on_loop(run.wake_up, "the wake-up")

    # Ending.

    def destroy(self, uuid: str, *, graceful: bool) -> None:
        """See ``Driver.destroy``."""
        self._estate.state.make_room()
        domain = self._estate.domains.by_uuid(uuid)
        self._estate.tell_found(uuid)
        run = self._estate.active_run(domain)
        if graceful:
            self._destroy_gracefully(run)
        else:
            self._destroy(run, _DESTROY_PATIENCE)
        if run.verdict not in {None, Happening.DESTROYED}:
            # It ended by itself before; whoever comes second has done nothing.
            raise invalid(domain, "domain is not running", "a running domain")

    def destroy_owned(self, owner: object) -> None:
        """See ``Driver.destroy_owned``."""
        domains = self._estate.domains.snapshot()
        owned = [run for domain in domains if (run := _owned(domain, owner))]
        with suppress(LoopStoppedError):
            for run in owned:
                self._begin_destroy(run, 0.0 if _is_stopped(run.pid) else _OWNED_PATIENCE)
            for run in owned:
                self._await_end(run)

    def _destroy(self, run: QemuRun, patience: float) -> None:
        # A process that somebody has stopped obeys nothing: waiting would give it no time.
        self._begin_destroy(run, 0.0 if _is_stopped(run.pid) else patience)
        self._await_end(run)

    def _await_end(self, run: QemuRun) -> None:
        if not run.ended.wait(_GONE_WITHIN):
            raise OperationTimeoutError(f"{run.ended.name} took longer than {_GONE_WITHIN:g} s")
        self._refuse_detached(run)

    def _destroy_gracefully(self, run: QemuRun) -> None:
        self._begin_destroy(run, None)
        if not run.ended.wait(_GRACEFUL_WITHIN):
            raise HostError(
                f"Failed to terminate process {run.pid} with SIGTERM within {_GRACEFUL_WITHIN:g} s"
            )
        self._refuse_detached(run)

    def _begin_destroy(self, run: QemuRun, patience: float | None) -> None:
        """Have the loop thread ask QEMU to end, and kill it after *patience* seconds."""
        self._estate.context.loop.call(lambda: run.destroy(patience))

    def _refuse_detached(self, run: QemuRun) -> None:
        if run.is_detached:
            raise ClosedError(f"{self._estate.uri} is closed; QEMU {run.pid} goes on")


def _is_stopped(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2]
    except OSError:  # it is gone
        return False
    return state.split()[:1] in (["T"], ["t"])


def _owned(domain: QemuDomain, owner: object) -> QemuRun | None:
    with domain.lock:
        is_owned = domain.owner is owner and domain.owner is not None
    return run_of(domain) if is_owned else None
