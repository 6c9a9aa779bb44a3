# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a scenario is: a name and steps, each a call or something that a guest or the host does.

Immutable.
"""

from dataclasses import dataclass

from tests.conformance.lifecycle.machine import Json, Machine

__all__ = ["Scenario", "Step", "back", "call", "guest", "host", "later", "leave", "signal", "up"]


@dataclass(frozen=True, slots=True)
class Step:
    """One step.

    Attributes:
        who: "call", "place" for what the guest or the host does, or "manager" for what becomes of
            libvirtd or of us.
        verb: A call's name (``client.py`` has them), an act's (`Place.act`), or "leave" and
            "return".
        arguments: A file is named by ``FOLDER/name``, as it then stands in the recording.
        named: The call's flags.
        on: Which connection makes the call.
    """

    who: str
    verb: str
    arguments: tuple[str | bool | int | Machine, ...] = ()
    named: tuple[tuple[str, bool], ...] = ()
    on: str = "main"

    def as_json(self) -> list[Json]:
        """Give it as the recording has it."""
        arguments: list[Json] = [
            word.as_json() if isinstance(word, Machine) else word for word in self.arguments
        ]
        flags = [f"{name}={value}" for name, value in self.named]
        where = [] if self.on == "main" else [f"on {self.on}"]
        return [self.who, self.verb, *arguments, *flags, *where]


@dataclass(frozen=True, slots=True)
class Scenario:
    """A life, or a piece of one.

    Attributes:
        name: Its name; that of a row of the golden sample where it is one.
        steps: What happens.
        tail: How many of its last steps lead to the golden sample's row of that name.
    """

    name: str
    steps: tuple[Step, ...]
    tail: int = 1


def call(
    verb: str, *arguments: str | bool | int | Machine, on: str = "main", **named: bool
) -> Step:
    """Make a call; without arguments it is on the domain web1."""
    if not arguments and verb not in {"open", "close"}:
        arguments = ("web1",)
    return Step("call", verb, arguments, tuple(named.items()), on)


def guest(letter: str, name: str = "web1") -> Step:
    """Have the guest do what the letter says."""
    return Step("place", "guest", (letter, name))


def later(letter: str, name: str = "web1") -> Step:
    """Send a letter to a guest that cannot read it yet."""
    return Step("place", "later", (letter, name))


def leave() -> Step:
    """Have the manager go; nobody manages the domains then."""
    return Step("manager", "leave")


def back() -> Step:
    """Have the manager come back."""
    return Step("manager", "return")


def up(name: str = "web1") -> Step:
    """Wait until the guest says that it is up."""
    return Step("place", "up", (name,))


def signal(number: int) -> Step:
    """Send a signal to the QEMU of web1."""
    return Step("place", "signal", (str(int(number)),))


def host(verb: str, *arguments: str) -> Step:
    """Have the host do something: `Place` has what."""
    return Step("place", verb, arguments)
