# SPDX-License-Identifier: LGPL-2.1-or-later
"""Taps: the host's end of a guest's network card, opened here and passed to QEMU.

It stands apart because it is the only place that speaks to the kernel's network by ioctl, and
because QEMU itself then needs no right to: it inherits an open descriptor.

Immutable: functions only; they may be called from any thread.

Invariants, each with a test of its name in ``tests/drivers/qemu/arguments/test_taps.py``:
    opened_up       a tap that was made is up, has its name, and is in its bridge
    goes_with_it    a tap that was made here is gone when its last descriptor is closed
    clear_refusal   what the kernel refuses is a HostError that names the tap or the bridge
"""

import fcntl
import os
import socket
import struct
from typing import Final

from virevents.errors import HostError

__all__ = ["open_tap"]

_TUN: Final = "/dev/net/tun"
_NAME_MAX: Final = 15  # bytes of an interface's name (IFNAMSIZ less its end)

# From linux/if_tun.h, linux/if.h and linux/sockios.h.
_TUNSETIFF: Final = 0x400454CA
_IFF_TAP: Final = 0x0002
_IFF_NO_PI: Final = 0x1000
_IFF_VNET_HDR: Final = 0x4000
_SIOCGIFFLAGS: Final = 0x8913
_SIOCSIFFLAGS: Final = 0x8914
_SIOCSIFHWADDR: Final = 0x8924
_SIOCGIFINDEX: Final = 0x8933
_SIOCBRADDIF: Final = 0x89A2
_IFF_UP: Final = 0x1
_ARPHRD_ETHER: Final = 1


def open_tap(name: str | None, *, bridge: str | None, mac: str | None) -> tuple[int, str]:
    """Open a tap, made now unless it is there, and bring it up.

    Args:
        name: The interface's name; None for one of the kernel's choice ("vnet" and a number). A
            tap of that name that is there already is used as it is: neither brought up nor
            given an address.
        bridge: The bridge that it is to join; None for none.
        mac: The guest's address; a tap made here gets it with ``fe`` in front, so that it is
            never the lowest in a bridge and the bridge keeps its own.

    Returns:
        The descriptor, close-on-exec, and the interface's name.

    Raises:
        HostError: The kernel refused; the process needs CAP_NET_ADMIN to make a tap or to
            put one into a bridge.
    """
    wanted = "vnet%d" if name is None else name
    is_there = name is not None and _index_of(name) is not None
    try:
        descriptor = os.open(_TUN, os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise HostError(f"Unable to open {_TUN}, is tun module loaded?: {error}") from error
    try:
        made = _attach(descriptor, wanted)
        if not is_there:
            _set_up(made, mac)
        if bridge is not None:
            _join(made, bridge)
    except (OSError, HostError) as error:
        os.close(descriptor)
        if isinstance(error, HostError):
            raise
        raise HostError(f"Unable to create tap device {wanted}: {error}") from error
    return descriptor, made


def _attach(descriptor: int, name: str) -> str:
    request = _named(name, struct.pack("H22x", _IFF_TAP | _IFF_NO_PI | _IFF_VNET_HDR))
    answer = fcntl.ioctl(descriptor, _TUNSETIFF, request)
    return answer[:16].rstrip(b"\0").decode()


def _set_up(name: str, mac: str | None) -> None:
    with _control() as control:
        if mac is not None:
            address = bytes.fromhex("fe" + mac.replace(":", "")[2:])
            fcntl.ioctl(
                control,
                _SIOCSIFHWADDR,
                _named(name, struct.pack("H6s16x", _ARPHRD_ETHER, address)),
            )
        answer = fcntl.ioctl(control, _SIOCGIFFLAGS, _named(name))
        (flags,) = struct.unpack_from("H", answer, 16)
        fcntl.ioctl(control, _SIOCSIFFLAGS, _named(name, struct.pack("H22x", flags | _IFF_UP)))


def _join(name: str, bridge: str) -> None:
    index = _index_of(name)
    try:
        with _control() as control:
            request = _named(bridge, struct.pack("i20x", index))
            fcntl.ioctl(control, _SIOCBRADDIF, request)
    except OSError as error:
        raise HostError(f"Unable to add bridge {bridge} port {name}: {error}") from error


def _index_of(name: str) -> int | None:
    try:
        with _control() as control:
            answer = fcntl.ioctl(control, _SIOCGIFINDEX, _named(name))
    except OSError:
        return None
    (index,) = struct.unpack_from("i", answer, 16)
    return int(index)


def _control() -> socket.socket:
    return socket.socket(socket.AF_INET, socket.SOCK_DGRAM)


def _named(name: str, rest: bytes = b"") -> bytes:
    encoded = name.encode()
    if len(encoded) > _NAME_MAX:
        raise HostError(f"expected an interface's name of at most {_NAME_MAX} bytes, met {name!r}")
    return encoded.ljust(16, b"\0") + rest.ljust(24, b"\0")
