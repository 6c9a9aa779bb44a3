# SPDX-License-Identifier: LGPL-2.1-or-later
"""Controls of a domain that runs: pause it, let it go on, reset it, end it.

It stands apart from starting and saving, because all of this is one command or one signal.

Locking:
    A call takes the domain's turn and waits under it for the loop thread. `destroy` takes no
    turn: it notes its cause and kills, so it never waits behind a call that hangs.

Invariants, each with a test of its name in ``tests/drivers/qemu/test_controls.py``:
    golden           every operation makes libvirt's sequence of events
    destroy_at_once  `destroy` ends a domain whose QEMU hangs in another call
"""

from typing import Final

from virevents.drivers.qemu.estate import Estate, invalid, state_of
from virevents.drivers.qemu.run import QemuRun
from virevents.errors import OperationTimeoutError
from virevents.model import DomainState, StoppedDetail

__all__ = ["Controls"]

# How long QEMU may take to obey SIGTERM before it is killed.
_DESTROY_PATIENCE: Final = 5.0
# How long a killed QEMU may take to be gone.
_GONE_WITHIN: Final = 15.0


class Controls:
    """The operations on a domain that runs.

    Args:
        estate: What they share with the others.
    """

    def __init__(self, estate: Estate) -> None:
        self._estate: Final = estate

    def suspend(self, uuid: str) -> None:
        """Stop the processors; the domain is paused when this returns."""
        with self._estate.turn(uuid) as domain:
            run, state = self._estate.active_run(domain), state_of(domain)
            if state is DomainState.PAUSED:
                return
            if state is not DomainState.RUNNING:
                raise invalid(domain, f"domain is {state}", "a running domain")
            self._estate.execute(run, "stop")

    def resume(self, uuid: str) -> None:
        """Let the processors run; the domain is running when this returns."""
        with self._estate.turn(uuid) as domain:
            run, state = self._estate.active_run(domain), state_of(domain)
            if state is not DomainState.PAUSED:
                already = "already " if state is DomainState.RUNNING else ""
                raise invalid(domain, f"domain is {already}{state}", "a paused domain")
            self._estate.execute(run, "cont")

    def shutdown(self, uuid: str, *, timeout: float | None, force: bool) -> None:
        """Press the power button; an end, if any, comes by the guest's doing."""
        del timeout, force
        with self._estate.turn(uuid) as domain:
            self._estate.execute(self._estate.active_run(domain), "system_powerdown")

    def reset(self, uuid: str) -> None:
        """Reset the machine; a paused domain stays paused."""
        with self._estate.turn(uuid) as domain:
            self._estate.execute(self._estate.active_run(domain), "system_reset")

    def destroy(self, uuid: str, *, graceful: bool) -> None:
        """Stop the domain now: SIGTERM, and SIGKILL if QEMU does not obey within 5 s."""
        del graceful
        self._estate.state.make_room()
        domain = self._estate.domains.by_uuid(uuid)
        run = self._estate.active_run(domain)
        self.begin_destroy(run, _DESTROY_PATIENCE)
        if not run.ended.wait(_GONE_WITHIN):
            raise OperationTimeoutError(f"{run.ended.name} took longer than {_GONE_WITHIN:g} s")
        if run.verdict is not None and run.verdict.detail is not StoppedDetail.DESTROYED:
            # It ended by itself before; whoever comes second has done nothing.
            raise invalid(domain, "domain is not running", "a running domain")

    def begin_destroy(self, run: QemuRun, patience: float) -> None:
        """Have the loop thread ask QEMU to end, and kill it after *patience* seconds."""
        self._estate.context.loop.call(lambda: run.destroy(patience))
