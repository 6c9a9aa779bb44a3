# SPDX-License-Identifier: LGPL-2.1-or-later
"""QEMU's migration, to and from a descriptor: how a running state leaves a QEMU and enters one.

It stands apart from the operations that save and restore because it is all that the loop thread
does of them: commands and events, no file and no lock. The descriptor is handed over the
monitor's socket, so QEMU needs no right to open anything, and starts no program.

Confined to the loop thread; `job_parameters` is a pure function.

Invariants, each with a test of its name in ``tests/drivers/qemu/test_migration.py``:
    whole_state   what was written by `save_to` is read by `load_from`
    says_why      a migration that fails raises QEMU's own words
    breaks_off    after `break_off` a QEMU neither saves nor dumps, whatever it did
    never_hangs   a QEMU that answers no more ends the wait with an error, however long it takes
    as_libvirt    the statistics have libvirt's names and units
"""

from collections.abc import Mapping
from contextlib import suppress
from typing import Final, Protocol

from virevents.drivers.qemu.listening import Listening
from virevents.errors import MonitorTimeoutError, OperationFailedError
from virevents.model import Json, ParamValue, TypedParams

__all__ = ["SAVE", "Monitored", "break_off", "job_parameters", "load_from", "save_to"]

# virDomainJobOperation, the number in a job's statistics; a dump of memory alone tells of none.
SAVE: Final = 2

_NAME: Final = "virevents-state"
# A disk takes what it takes: QEMU's default of 128 MiB/s is meant for networks. What libvirt sets.
_UNLIMITED_BYTES_PER_SECOND: Final = 9223372036853727232
# How long nothing may be heard before QEMU is asked whether it is still there.
_SILENCE_MAX: Final = 10.0
_BITS_IN_BYTE: Final = 8
_MEGA: Final = 1_000_000

_OVER: Final = frozenset({"completed", "failed", "cancelled"})


class Monitored(Protocol):
    """A QEMU with a monitor: a run, as far as this module needs it."""

    async def execute(
        self, command: str, arguments: Mapping[str, Json] | None = None, *, within: float = ...
    ) -> Json:
        """Have the monitor execute a command; raises ``MonitorError``."""

    async def send_descriptor(self, name: str, descriptor: int) -> None:
        """Give QEMU a copy of *descriptor*, which commands call *name*."""

    def listen(self, *names: str) -> Listening:
        """Listen to the monitor's events of these names."""


async def save_to(run: Monitored, descriptor: int) -> Mapping[str, Json]:
    """Have the state of a QEMU written to *descriptor*; its processors are stopped afterwards.

    Returns:
        QEMU's statistics.

    Raises:
        OperationFailedError: The state could not be written.
        MonitorError: QEMU went away, or hangs.
    """
    await _tell_of_events(run)
    limits: dict[str, Json] = {"max-bandwidth": _UNLIMITED_BYTES_PER_SECOND}
    await run.execute("migrate-set-parameters", limits)
    await run.send_descriptor(_NAME, descriptor)
    with run.listen("MIGRATION") as heard:
        await run.execute("migrate", {"uri": f"fd:{_NAME}"})
        return await _end_of(run, heard)


async def load_from(run: Monitored, descriptor: int) -> None:
    """Have a QEMU that waits for a state read it from *descriptor*; it is paused afterwards.

    Raises:
        OperationFailedError: The state could not be read.
        MonitorError: QEMU went away (as it does when it cannot read the state), or hangs.
    """
    await _tell_of_events(run)
    await run.send_descriptor(_NAME, descriptor)
    with run.listen("MIGRATION") as heard:
        await run.execute("migrate-incoming", {"uri": f"fd:{_NAME}"})
        await _end_of(run, heard)


async def break_off(run: Monitored) -> None:
    """End what a driver began that is no more: cancel its save, wait for the end of its dump.

    Nothing happens when there is neither. The processors can be let run afterwards; a save that
    is cancelled while the disk takes no more of it lets go when the disk does.

    Raises:
        MonitorError: QEMU went away, or hangs.
    """
    with run.listen("DUMP_COMPLETED") as heard:
        await run.execute("migrate_cancel")
        while _status(await run.execute("query-dump")) == "active":
            with suppress(MonitorTimeoutError):  # then it is asked again
                await heard.next(within=_SILENCE_MAX)


async def _tell_of_events(run: Monitored) -> None:
    """Without this capability QEMU says nothing of a migration's course."""
    events: list[Json] = [{"capability": "events", "state": True}]
    await run.execute("migrate-set-capabilities", {"capabilities": events})


async def _end_of(run: Monitored, heard: Listening) -> Mapping[str, Json]:
    """Wait for the end of a migration, as long as QEMU answers; return its statistics."""
    is_over = False
    while not is_over:
        try:
            await heard.next(within=_SILENCE_MAX, accept=_is_end)
            is_over = True
        except MonitorTimeoutError:
            # A large memory takes minutes. A QEMU that hangs does not answer this.
            is_over = _status(await run.execute("query-migrate")) in _OVER
    answer = await run.execute("query-migrate")
    statistics = answer if isinstance(answer, dict) else {}
    status = _status(answer)
    if status != "completed":
        why = statistics.get("error-desc") or f"QEMU says no more than {status!r}"
        raise OperationFailedError(f"operation failed: the state could not be moved: {why}")
    return statistics


def _is_end(message: Mapping[str, object]) -> bool:
    return _status(message.get("data")) in _OVER


def _status(data: object) -> object:
    return data.get("status") if isinstance(data, dict) else None


def job_parameters(statistics: Mapping[str, Json], operation: int, elapsed_ms: int) -> TypedParams:
    """Put QEMU's statistics into libvirt's names (``virDomainGetJobStats``) and units.

    Args:
        statistics: What ``query-migrate`` returned.
        operation: What it was for, `SAVE`.
        elapsed_ms: How long the whole job took.
    """
    memory = statistics.get("ram")
    memory = memory if isinstance(memory, dict) else {}
    params: dict[str, ParamValue] = {"operation": operation, "time_elapsed": elapsed_ms}
    for name, key in _TIMES.items():
        _copy(params, name, statistics.get(key))
    for name, key in _MEMORY.items():
        _copy(params, name, memory.get(key))
    speed = memory.get("mbps")
    if isinstance(speed, int | float) and speed > 0:
        params["memory_bps"] = int(speed * _MEGA / _BITS_IN_BYTE)
    return TypedParams(params)


def _copy(params: dict[str, ParamValue], name: str, value: object) -> None:
    """Only whole numbers: QEMU leaves out what it does not know."""
    if isinstance(value, int):
        params[name] = value


_TIMES: Final[Mapping[str, str]] = {"downtime": "downtime", "setup_time": "setup-time"}

# Disks are not in a saved state: the whole of the data is the memory.
_MEMORY: Final[Mapping[str, str]] = {
    "data_total": "total",
    "data_processed": "transferred",
    "data_remaining": "remaining",
    "memory_total": "total",
    "memory_processed": "transferred",
    "memory_remaining": "remaining",
    "memory_constant": "duplicate",
    "memory_normal": "normal",
    "memory_normal_bytes": "normal-bytes",
    "memory_dirty_rate": "dirty-pages-rate",
    "memory_iteration": "dirty-sync-count",
    "memory_postcopy_requests": "postcopy-requests",
    "memory_page_size": "page-size",
}
