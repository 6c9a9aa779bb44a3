# SPDX-License-Identifier: LGPL-2.1-or-later
"""Definitions for the tests of the room: one of the least, and all that there can be."""

from typing import Final

from hypothesis import strategies as st

from virevents.definition import (
    MEMORY_KIB_MAX,
    VCPUS_MAX,
    DomainDefinition,
    DomainType,
    LifecycleAction,
)

__all__ = ["LEAST", "UUID", "definitions", "least_xml"]

UUID: Final = "6695eb01-f6a4-8304-79aa-97f2502e193f"

LEAST: Final = DomainDefinition(
    name="web1",
    uuid=UUID,
    memory_kib=1024,
    current_memory_kib=1024,
    domain_type=DomainType.TEST,
)


def least_xml(*, name: str = "web1", memory: str = "<memory>1024</memory>", more: str = "") -> str:
    """The least XML that there can be, each element on a line of its own; *more* is line 6."""
    return "\n".join(
        [
            "<domain type='test'>",
            f"<name>{name}</name>",
            f"<uuid>{UUID}</uuid>",
            memory,
            "<os><type>hvm</type></os>",
            more,
            "</domain>",
        ]
    )


_TEXT = st.text(
    st.characters(exclude_categories=["Cc", "Cs"], exclude_characters=["\ufffe", "\uffff"])
)
_NAMES = _TEXT.filter(lambda text: bool(text.strip()) and "/" not in text and text.strip(".") != "")
_WORDS = st.none() | st.from_regex(r"[a-z0-9_][A-Za-z0-9_.+-]{0,8}", fullmatch=True)
_PATHS = st.none() | _TEXT.map(lambda text: f"/{text}")
_QUIET = st.sampled_from(LifecycleAction).filter(lambda action: "coredump" not in action)


@st.composite
def definitions(draw: st.DrawFn) -> DomainDefinition:
    """Any definition that is allowed."""
    memory_kib = draw(st.integers(1, MEMORY_KIB_MAX))
    return DomainDefinition(
        name=draw(_NAMES),
        uuid=str(draw(st.uuids())),
        memory_kib=memory_kib,
        current_memory_kib=draw(st.integers(1, memory_kib)),
        vcpus=draw(st.integers(1, VCPUS_MAX)),
        domain_type=draw(st.sampled_from(DomainType)),
        arch=draw(_WORDS),
        machine=draw(_WORDS),
        loader=draw(_PATHS),
        emulator=draw(_PATHS),
        on_poweroff=draw(_QUIET),
        on_reboot=draw(_QUIET),
        on_crash=draw(st.sampled_from(LifecycleAction)),
    )
