# SPDX-License-Identifier: LGPL-2.1-or-later
"""Stories by chance: the same seed gives the same story.

Not blind chance, which is refused nearly always: the verbs that lead somewhere are drawn more
often, and a name mostly comes with the uuid that belongs to it. The rest goes everywhere: wrong
states, unknown names, flags that a driver does not have.

Immutable: functions and tables only.
"""

import random
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from tests.differential.story import Step, Story

__all__ = ["VERBS", "guest_story", "memory_story"]

_NAMES: Final = ("test", "web1", "web2")
_UNKNOWN: Final = "nobody"
_ACTIONS: Final = ("destroy", "restart", "preserve", "rename-restart")
_START_FLAGS: Final = ("paused", "autodestroy", "force_boot")
_SAVE_FLAGS: Final = ("running", "paused")


class _Chance(random.Random):
    """Chance in the words of a story."""

    def is_so(self, probability: float) -> bool:
        return self.random() < probability

    def some(self, *words: str, probability: float = 0.15) -> tuple[str, ...]:
        """Draw some of *words*; mostly none."""
        return tuple(word for word in words if self.is_so(probability))

    def one(self, *words: str, probability: float = 0.15) -> tuple[str, ...]:
        """Draw at most one of *words*; mostly none."""
        return (self.choice(words),) if self.is_so(probability) else ()

    def uuid(self, name: str) -> str:
        is_own = name in _NAMES and self.is_so(0.85)
        return f"uuid={_NAMES.index(name) if is_own else self.randrange(len(_NAMES))}"

    def file(self) -> str:
        wrong = ("garbage", "missing", "missing/a")
        return f"file={self.choice(wrong) if self.is_so(0.1) else self.choice('aab')}"


def _definition(chance: _Chance, name: str) -> tuple[str, ...]:
    actions = [
        f"{action}={chance.choice(_ACTIONS)}"
        for action in ("on_poweroff", "on_reboot")
        if chance.is_so(0.3)
    ]
    return (chance.uuid(name), *actions, *chance.one("vcpus=2"))


def _words(*words: str) -> Callable[[_Chance, str], tuple[str, ...]]:
    return lambda chance, name: words


# verb: how often it is drawn, and its words
_Words = Callable[[_Chance, str], tuple[str, ...]]
VERBS: Final[Mapping[str, tuple[int, _Words]]] = {
    "define": (12, lambda c, name: (*_definition(c, name), *c.one("garbage", probability=0.04))),
    "undefine": (6, lambda c, _: (*c.some("managed_save"), *c.one("nvram", "keep_nvram"))),
    "create": (7, lambda c, name: (*_definition(c, name), *c.some(*_START_FLAGS[:2]))),
    "start": (14, lambda c, _: c.some(*_START_FLAGS, probability=0.08)),
    "suspend": (6, _words()),
    "resume": (6, _words()),
    "shutdown": (5, _words()),
    "reboot": (5, _words()),
    "reset": (3, _words()),
    "destroy": (5, lambda c, _: c.some("graceful", probability=0.3)),
    "save": (5, lambda c, _: (c.file(), *c.one(*_SAVE_FLAGS))),
    "restore": (5, lambda c, _: (c.file(), *c.one(*_SAVE_FLAGS))),
    "managed_save": (6, lambda c, _: c.one(*_SAVE_FLAGS, probability=0.3)),
    "managed_save_remove": (3, _words()),
    "core_dump": (4, lambda c, _: (c.file(), *c.one("crash", "live", "reset", probability=0.6))),
    "rename": (4, lambda c, _: (f"to={c.choice((*_NAMES, 'web3', 'a/b'))}",)),
    "set_autostart": (2, lambda c, _: (f"on={c.choice(('yes', 'no'))}",)),
    "is_autostarted": (2, _words()),
    "lookup": (2, _words()),
    "lookup_uuid": (1, lambda c, name: (c.uuid(name),)),
    "lookup_id": (2, lambda c, _: (f"id={c.randint(0, 3)}",)),
    "pm_suspend": (1, lambda c, _: (f"target={c.choice(('memory', 'disk', 'hybrid'))}",)),
    "pm_wakeup": (1, _words()),
}
"""What a story on the test drivers is made of."""

_LETTERS: Final = "pppprrktcccclsssdww"
_WATCHDOGS: Final = ("reset", "shutdown", "poweroff", "pause", "none", "inject-nmi")


def _machine(chance: _Chance, name: str) -> tuple[str, ...]:
    number = _NAMES.index(name) if name in _NAMES[1:] and chance.is_so(0.9) else 1
    actions: dict[str, str] = {}
    if chance.is_so(0.3):
        actions["on_poweroff"] = chance.choice(("restart", "restart", "preserve"))
    if chance.is_so(0.2):
        actions["on_reboot"] = chance.choice(("destroy", "destroy", "preserve"))
    if chance.is_so(0.6):
        crashes = ("destroy", "restart", "preserve", "coredump-destroy", "coredump-restart")
        actions["on_crash"] = chance.choice(crashes)
    if chance.is_so(0.25):
        actions["watchdog"] = chance.choice(_WATCHDOGS)
    words = [f"{action}={word}" for action, word in actions.items()]
    return (f"uuid={number}", *words, *chance.one("title=other"))


_GUEST_VERBS: Final[Mapping[str, tuple[int, _Words]]] = {
    "define": (6, _machine),
    "undefine": (3, lambda c, _: c.some("managed_save", probability=0.3)),
    "create": (5, lambda c, name: (*_machine(c, name), *c.some(*_START_FLAGS[:2]))),
    "start": (16, lambda c, _: c.some(*_START_FLAGS)),
    "suspend": (5, _words()),
    "resume": (7, _words()),
    "shutdown": (5, _words()),
    "reboot": (5, _words()),
    "reset": (5, _words()),
    "destroy": (4, lambda c, _: c.some("graceful", probability=0.3)),
    "save": (4, lambda c, _: (c.file(), *c.one(*_SAVE_FLAGS, probability=0.3))),
    "restore": (5, lambda c, _: (c.file(), *c.one(*_SAVE_FLAGS, probability=0.3))),
    "managed_save": (5, lambda c, _: c.one(*_SAVE_FLAGS, probability=0.3)),
    "managed_save_remove": (1, _words()),
    "core_dump": (4, lambda c, _: ("file=core", *c.one("crash", "live", "reset", probability=0.7))),
    "rename": (1, lambda c, _: (f"to={c.choice((*_NAMES[1:], 'web3'))}",)),
    "set_autostart": (1, lambda c, _: (f"on={c.choice(('yes', 'no'))}",)),
    "is_autostarted": (1, _words()),
    "pm_suspend": (1, lambda c, _: (f"target={c.choice(('memory', 'disk', 'hybrid'))}",)),
    "pm_wakeup": (4, _words()),
    "guest": (14, lambda c, _: (f"letter={c.choice(_LETTERS)}",)),
    "signal": (4, lambda c, _: (f"number={c.choice(('kill', 'term', 'int'))}",)),
    "hang_up": (1, _words()),
}

_NAMELESS: Final = {"restore", "lookup_uuid", "lookup_id", "hang_up"}


def memory_story(seed: int, length: int) -> Story:
    """Make a story of *length* steps for the test drivers."""
    return _story(_Chance(seed), length, VERBS, _NAMES)


def guest_story(seed: int, length: int) -> Story:
    """Make a story of at most *length* steps for real guests; two domains, mostly the first.

    A watchdog fires once in a story: QEMU tells of it at most once in a second, the second time
    late, and what comes of that depends on who is faster.
    """
    story = _story(_Chance(seed), length, _GUEST_VERBS, ("web1",) * 5 + ("web2",))
    fires = [number for number, step in enumerate(story) if step.get("letter") == "w"]
    return tuple(step for number, step in enumerate(story) if number not in fires[1:])


_Verbs = Mapping[str, tuple[int, _Words]]


def _story(chance: _Chance, length: int, verbs: _Verbs, names: Sequence[str]) -> Story:
    weights = [weight for weight, _ in verbs.values()]
    drawn = chance.choices(list(verbs), weights=weights, k=length)
    drawn[:2] = chance.choices(("define", "create"), weights=(3, 1), k=2)
    if "guest" in verbs and chance.is_so(0.7):
        drawn[2] = "start"
    return tuple(_step(chance, verb, verbs[verb][1], names) for verb in drawn)


def _step(chance: _Chance, verb: str, words: _Words, names: Sequence[str]) -> Step:
    name = _UNKNOWN if chance.is_so(0.03) else chance.choice(names)
    return Step(verb, "" if verb in _NAMELESS else name, words(chance, name))
