# SPDX-License-Identifier: LGPL-2.1-or-later
"""Any definition that is allowed, by chance: made from the same tables that the parser obeys.

A fact that is added to a dataclass is in here at once; only what facts ask of one another is
written out (``_AGREEMENTS``). ``definitions()`` is for all; ``facts(cls)`` gives objects of one
class.
"""

from collections.abc import Callable
from dataclasses import fields, replace
from typing import Final, TypeVar

from hypothesis import strategies as st

from virevents.definition import (
    BridgeNetwork,
    Channel,
    Clock,
    Controller,
    Cpu,
    Disk,
    DiskDevice,
    DomainDefinition,
    FileSource,
    HyperV,
    LifecycleAction,
    Rng,
    SpiceGraphics,
    TapNetwork,
    UnixEnd,
    VncGraphics,
)
from virevents.definition.controllers import MODELS, ControllerKind
from virevents.definition.devices import Device
from virevents.definition.facts import Fact, Facts, Part, facts_of
from virevents.definition.kinds import (
    LINES,
    MAC,
    NAME,
    OPTIONAL_PATH,
    OWN_ALIAS,
    PATH,
    TEXT,
    UUID,
    Hexadecimal,
    Kind,
    Memory,
    Number,
    Switch,
    Text,
    Words,
)
from virevents.definition.opaque import Opaque
from virevents.definition.tree import parse_tree

__all__ = ["NAMES", "PATHS", "definitions", "facts", "values"]

_Made = TypeVar("_Made", bound=Facts)

_LETTERS: Final = st.characters(
    exclude_categories=["Cc", "Cs"], exclude_characters=["\ufffe", "\uffff"]
)
_TEXT: Final = st.text(_LETTERS)
NAMES: Final = _TEXT.filter(
    lambda text: bool(text.strip()) and "/" not in text and text not in {".", ".."}
)
PATHS: Final = _TEXT.map(lambda text: f"/{text}")
_HEX: Final = st.sampled_from("0123456789abcdef")
_MACS: Final = st.lists(_HEX, min_size=10, max_size=10).map(
    lambda digits: "52:" + ":".join(a + b for a, b in zip(digits[::2], digits[1::2], strict=True))
)
_FOREIGN: Final = st.lists(
    st.builds(
        "<{0}:{1} xmlns:{0}='urn:{0}'>{2}</{0}:{1}>".format,
        st.sampled_from(["osinfo", "cockpit", "ns0", "a"]),
        st.sampled_from(["data", "os"]),
        st.sampled_from(["", "<x/>", "a &amp; b\n", "<b xmlns='urn:b' y='&lt;'>é</b> c"]),
    ),
    max_size=3,
    unique_by=lambda text: text.partition(":")[0],
)


def values(kind: Kind) -> st.SearchStrategy[object]:
    """Any value of *kind*."""
    for of, strategy in _KINDS.items():
        if isinstance(kind, of):
            return strategy(kind)
    assert isinstance(kind, Text)
    return _texts(kind)


def _words(kind: Kind) -> st.SearchStrategy[object]:
    assert isinstance(kind, Words)
    return st.sampled_from(list(kind.words))


def _numbers(kind: Kind) -> st.SearchStrategy[object]:
    assert isinstance(kind, Number | Hexadecimal | Memory)
    least = {Number: getattr(kind, "least", 0), Memory: 1}.get(type(kind), 0)
    return st.integers(least, kind.most)


def _foreign(kind: Kind) -> st.SearchStrategy[object]:
    assert isinstance(kind, Opaque)
    return _FOREIGN.map(lambda texts: kind.read_element(parse_tree(f"<m>{''.join(texts)}</m>"), {}))


_KINDS: Final[dict[type[Kind], Callable[[Kind], st.SearchStrategy[object]]]] = {
    Words: _words,
    Switch: lambda _: st.booleans(),
    Number: _numbers,
    Hexadecimal: _numbers,
    Memory: _numbers,
    Opaque: _foreign,
}


def _texts(kind: Text) -> st.SearchStrategy[object]:
    if kind.expression:
        return st.from_regex(rf"\A(?:{kind.expression})\Z").filter(lambda text: text.isascii())
    named: dict[int, st.SearchStrategy[object]] = {
        id(TEXT): _TEXT,
        id(LINES): st.text(st.one_of(_LETTERS, st.sampled_from("\n\t"))),
        id(NAME): NAMES,
        id(PATH): PATHS,
        id(OPTIONAL_PATH): PATHS,
        id(UUID): st.uuids().map(str),
        id(MAC): _MACS,
        id(OWN_ALIAS): st.from_regex(r"\Aua-[A-Za-z0-9_-]{1,8}\Z"),
    }
    return named[id(kind)]


def _of_fact(fact: Fact) -> st.SearchStrategy[object]:
    if isinstance(fact, Part):
        one = st.one_of([facts(cls) for cls in fact.choices.values()])
        return st.lists(one, max_size=2).map(tuple) if fact.is_many else one
    return st.booleans() if fact.kind is None else values(fact.kind)


def facts(cls: type[_Made]) -> st.SearchStrategy[_Made]:
    """Any object of *cls* that is allowed."""
    strategies = {each.name: _of_fact(facts_of(cls)[each.name]) for each in fields(cls)}
    optional = {each.name for each in fields(cls) if each.default is None}

    @st.composite
    def made(draw: st.DrawFn) -> _Made:
        drawn: dict[str, object] = {}
        # Which facts are stated is drawn at once: most definitions state few of many.
        stated = draw(st.sets(st.sampled_from(sorted(optional)))) if optional else set()
        for name, strategy in strategies.items():
            drawn[name] = None if name in optional - stated else draw(strategy)
        for of, agree in _AGREEMENTS.items():
            if issubclass(cls, of):
                agree(draw, drawn)
        return cls(**drawn)

    return made()


def definitions() -> st.SearchStrategy[DomainDefinition]:
    """Any definition that is allowed."""
    return _DEFINITIONS


def _unique(drawn: dict[str, object], name: str, *of: str) -> None:
    """Leave only the first of the parts that are equal in *of*."""
    parts = drawn[name]
    assert isinstance(parts, tuple)
    kept = {tuple(getattr(part, field) for field in of): part for part in reversed(parts)}
    drawn[name] = tuple(part for part in parts if part in kept.values())[: len(kept)]


def _domain(draw: st.DrawFn, drawn: dict[str, object]) -> None:
    memory, vcpus = drawn["memory_kib"], drawn["vcpus"]
    assert isinstance(memory, int)
    assert isinstance(vcpus, int)
    drawn["current_memory_kib"] = draw(st.integers(1, memory))
    if drawn["current_vcpus"] is not None:
        drawn["current_vcpus"] = draw(st.integers(1, vcpus))
    for name in ("on_poweroff", "on_reboot"):
        if "coredump" in str(drawn[name]):
            drawn[name] = LifecycleAction.RESTART
    _unique(drawn, "disks", "target")
    _unique(drawn, "controllers", "kind", "index")
    if drawn["boot"]:
        _state_nothing(drawn, "boot_order", again=set(), at_most=0)
    _state_nothing(drawn, "boot_order", again=set())
    _state_nothing(drawn, "alias", again=set())


def _state_nothing(
    drawn: dict[str, object], name: str, *, again: set[object], at_most: int | None = None
) -> None:
    """Leave out what devices state of *name* that another did before, or all of it."""
    for key, value in drawn.items():
        if isinstance(value, tuple):
            drawn[key] = tuple(_stating(each, name, again, at_most) for each in value)
        elif isinstance(value, Device):
            drawn[key] = _stating(value, name, again, at_most)


def _stating(each: object, name: str, again: set[object], at_most: int | None) -> object:
    if not isinstance(each, Facts) or getattr(each, name, None) is None:
        return each
    stated: object = getattr(each, name)
    if at_most == 0 or stated in again:
        return replace(each, **{name: None})
    again.add(stated)
    return each


def _autoport(draw: st.DrawFn, drawn: dict[str, object]) -> None:
    drawn["is_autoport"] = drawn["port"] == -1


def _hyperv(draw: st.DrawFn, drawn: dict[str, object]) -> None:
    drawn["spinlocks"] = True if drawn["spinlock_retries"] is not None else drawn["spinlocks"]
    drawn["vendor_id"] = True if drawn["vendor"] is not None else drawn["vendor_id"]


def _cpu(draw: st.DrawFn, drawn: dict[str, object]) -> None:
    topology = ("sockets", "cores", "threads")
    if None in [drawn[name] for name in topology]:
        drawn.update(dict.fromkeys((*topology, "dies")))
    _unique(drawn, "features", "name")


def _clock(draw: st.DrawFn, drawn: dict[str, object]) -> None:
    _unique(drawn, "timers", "name")


def _controller(draw: st.DrawFn, drawn: dict[str, object]) -> None:
    kind = drawn["kind"]
    assert isinstance(kind, ControllerKind)
    drawn["model"] = draw(st.sampled_from([None, *sorted(MODELS[kind])]))


def _disk(draw: st.DrawFn, drawn: dict[str, object]) -> None:
    if drawn["device"] is DiskDevice.DISK:
        drawn["source"] = FileSource(path=draw(PATHS))


def _rng(draw: st.DrawFn, drawn: dict[str, object]) -> None:
    if drawn["rate_bytes"] is None:
        drawn["rate_period"] = None


def _network(draw: st.DrawFn, drawn: dict[str, object]) -> None:
    if drawn["device"] is None and "is_managed" in drawn:
        drawn["is_managed"] = None
    if str(drawn["device"]).startswith("vnet"):
        drawn["device"] = "tap0"


def _channel(draw: st.DrawFn, drawn: dict[str, object]) -> None:
    end = drawn["end"]
    if isinstance(end, UnixEnd) and "/channel/" in (end.path or ""):
        drawn["end"] = UnixEnd()


_AGREEMENTS: Final[dict[type[Facts], Callable[[st.DrawFn, dict[str, object]], None]]] = {
    DomainDefinition: _domain,
    SpiceGraphics: _autoport,
    VncGraphics: _autoport,
    HyperV: _hyperv,
    Cpu: _cpu,
    Clock: _clock,
    Controller: _controller,
    Disk: _disk,
    Rng: _rng,
    Channel: _channel,
    BridgeNetwork: _network,
    TapNetwork: _network,
}
_DEFINITIONS: Final = facts(DomainDefinition)
