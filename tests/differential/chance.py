# SPDX-License-Identifier: LGPL-2.1-or-later
"""Stories by chance: the same seed gives the same story.

Not blind chance, which is refused nearly always: the verbs that lead somewhere are drawn more
often, and a name mostly comes with the uuid that belongs to it. The rest goes everywhere: wrong
states, unknown names, flags that a driver does not have.

Immutable: functions and tables only.
"""

import random
from collections.abc import Callable, Mapping
from typing import Final

from tests.differential.story import Step, Story

__all__ = ["VERBS", "memory_story"]

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

    def name(self) -> str:
        return _UNKNOWN if self.is_so(0.03) else self.choice(_NAMES)

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

_NAMELESS: Final = {"restore", "lookup_uuid", "lookup_id"}


def memory_story(seed: int, length: int) -> Story:
    """Make a story of *length* steps for the test drivers."""
    chance = _Chance(seed)
    weights = [weight for weight, _ in VERBS.values()]
    verbs = chance.choices(list(VERBS), weights=weights, k=length)
    verbs[:2] = chance.choices(("define", "create"), weights=(3, 1), k=2)
    return tuple(_step(chance, verb) for verb in verbs)


def _step(chance: _Chance, verb: str) -> Step:
    name = chance.name()
    return Step(verb, "" if verb in _NAMELESS else name, VERBS[verb][1](chance, name))
