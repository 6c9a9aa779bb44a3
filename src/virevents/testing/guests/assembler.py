# SPDX-License-Identifier: LGPL-2.1-or-later
"""A small assembler for 16-bit x86, so that test guests need neither gcc nor nasm.

It stands apart because it knows instructions and nothing of what a guest does with
them. Only what the guests use is here; encodings are those of the Intel manual,
volume 2, for a code segment whose first byte is offset 0.

Locking:
    None: an assembler belongs to the thread that builds one image.

Invariants, each with a test of its name in ``tests/testing/test_guests.py``:
    unknown_label   a jump to a label that nobody set is an error, not a jump to 0
    label_once      a label is set at most once
    short_jump      a short jump that would not reach is an error, never cut off
"""

from typing import Final, Literal

__all__ = ["Assembler"]

_Fixup = Literal["byte", "word", "address"]

_BYTE_REGISTERS: Final = {"al": 0xB0, "ah": 0xB4}
_WORD_REGISTERS: Final = {
    "ax": 0xB8,
    "cx": 0xB9,
    "dx": 0xBA,
    "bx": 0xBB,
    "sp": 0xBC,
    "di": 0xBF,
    "bp": 0xBD,
}
_CONDITIONS: Final = {"zero": 0x74, "not zero": 0x75}
_SHORT_REACH: Final = range(-128, 128)
_FIRST_WORD_PORT: Final = 0x100  # ports below it have a form with the port in the instruction


class Assembler:
    """Collects the bytes of one program; `assemble` resolves its labels."""

    def __init__(self) -> None:
        self._code: Final = bytearray()
        self._labels: Final[dict[str, int]] = {}
        self._fixups: Final[list[tuple[int, _Fixup, str]]] = []

    def emit(self, *parts: int | bytes) -> None:
        """Append single bytes and byte strings as they are."""
        for part in parts:
            self._code.extend(bytes([part]) if isinstance(part, int) else part)

    def emit_address(self, name: str) -> None:
        """Append the 16-bit address of the label *name*."""
        self._refer("address", name, 2)

    @property
    def address(self) -> int:
        """Where the next byte goes, as an offset in the code segment."""
        return len(self._code)

    def label(self, name: str) -> None:
        """Give the next byte's address the name *name*.

        Raises:
            ValueError: if the label is set already.
        """
        if name in self._labels:
            msg = f"label {name!r} is set twice"
            raise ValueError(msg)
        self._labels[name] = self.address

    def assemble(self) -> bytes:
        """The program with every reference to a label filled in.

        Raises:
            ValueError: if a label is missing, or out of a short jump's reach.
        """
        code = bytearray(self._code)
        for at, kind, name in self._fixups:
            if name not in self._labels:
                msg = f"label {name!r} is used but never set"
                raise ValueError(msg)
            target = self._labels[name]
            if kind == "byte":
                distance = target - (at + 1)
                if distance not in _SHORT_REACH:
                    msg = f"label {name!r} is {distance} bytes away, too far for a short jump"
                    raise ValueError(msg)
                code[at] = distance & 0xFF
            else:
                value = target if kind == "address" else target - (at + 2)
                code[at : at + 2] = (value & 0xFFFF).to_bytes(2, "little")
        return bytes(code)

    def _refer(self, kind: _Fixup, name: str, size: int) -> None:
        self._fixups.append((self.address, kind, name))
        self._code.extend(bytes(size))

    # Jumps. A near jump reaches the whole segment, a short one 128 bytes.

    def jump(self, name: str) -> None:
        """Near jump to *name*."""
        self.emit(0xE9)
        self._refer("word", name, 2)

    def jump_if(self, condition: str, name: str) -> None:
        """Near jump to *name* if *condition* ("zero", "not zero"): 8086 style, over a jump."""
        self.emit(_CONDITIONS[condition] ^ 1, 3)
        self.jump(name)

    def short_jump_if(self, condition: str, name: str) -> None:
        """Short jump to *name* if *condition*."""
        self.emit(_CONDITIONS[condition])
        self._refer("byte", name, 1)

    def loop(self, name: str) -> None:
        """Count cx down; short jump to *name* unless it is now 0."""
        self.emit(0xE2)
        self._refer("byte", name, 1)

    # Loads and port accesses.

    def load(self, register: str, value: int) -> None:
        """``mov register, value``; "eax" takes 32 bits, "ax" and the like 16, "al" 8."""
        if register in _BYTE_REGISTERS:
            self.emit(_BYTE_REGISTERS[register], value & 0xFF)
        elif register == "eax":
            self.emit(0x66, 0xB8, (value & 0xFFFFFFFF).to_bytes(4, "little"))
        else:
            self.emit(_WORD_REGISTERS[register], (value & 0xFFFF).to_bytes(2, "little"))

    def write_byte(self, port: int, value: int) -> None:
        """Write 8 bits to a port. Uses dx and al."""
        if port < _FIRST_WORD_PORT:
            self.load("al", value)
            self.emit(0xE6, port)
        else:
            self.load("dx", port)
            self.load("al", value)
            self.emit(0xEE)

    def write_word(self, port: int, value: int) -> None:
        """Write 16 bits to a port. Uses dx and ax."""
        self.load("dx", port)
        self.load("ax", value)
        self.emit(0xEF)

    def write_dword(self, port: int, value: int) -> None:
        """Write 32 bits to a port. Uses dx and eax."""
        self.load("dx", port)
        self.load("eax", value)
        self.write_eax()

    def write_eax(self) -> None:
        """Write eax to the port in dx."""
        self.emit(0x66, 0xEF)

    def read_byte(self, port: int) -> None:
        """Read a port into al; dx keeps the port."""
        self.load("dx", port)
        self.emit(0xEC)

    def read_dword(self, port: int) -> None:
        """Read a port into eax; dx keeps the port."""
        self.load("dx", port)
        self.emit(0x66, 0xED)

    # The processor's own state.

    def interrupts_off(self) -> None:
        """``cli``."""
        self.emit(0xFA)

    def wait_for_interrupt(self) -> None:
        """Let one interrupt in: ``sti; hlt; cli``, which no interrupt can slip through."""
        self.emit(0xFB, 0xF4, 0xFA)

    def halt_for_good(self) -> None:
        """``cli; hlt`` for ever: alive, deaf, and almost no processor time."""
        self.emit(0xFA, 0xF4, 0xEB, 0xFD)

    def spin_for_good(self) -> None:
        """``cli; jmp $``: alive, deaf, and a whole processor."""
        self.emit(0xFA, 0xEB, 0xFE)
