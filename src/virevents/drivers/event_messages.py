# SPDX-License-Identifier: LGPL-2.1-or-later
"""Domain events as messages of libvirt's RPC protocol, and back.

It stands apart because two sides need it, the daemon and the remote driver, and neither the model
nor the wire may know the other. An event's fields stand in the protocol's order, so all it takes
is to know the few that are no plain numbers and texts.

Two styles are on the wire: the modern one begins with the number of the registration, the legacy
one, for the oldest kinds only, is without. What follows is the same, but that three kinds have a
reason before it in the modern style.

Immutable: functions only.

Invariants, each with a test of its name in ``tests/drivers/test_event_messages.py``:
    round_trip   an event that is encoded and decoded is equal, in each style that it has
    as_libvirt   what a real libvirtd sent decodes, and encodes to the same bytes
    newer_peer   a number that we do not know is kept
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Final, NamedTuple, Protocol, Self, cast, get_args
from uuid import UUID

from virevents.errors import PayloadError
from virevents.model import (
    EVENT_CLASSES,
    DomainEvent,
    DomainIdentity,
    EventId,
    GraphicsAddress,
    GraphicsAddressFamily,
    GraphicsIdentity,
    Lifecycle,
    MemoryFailureFlags,
    TypedParams,
    WireEnum,
    detail_from_number,
    field_names,
)
from virevents.wire.rpc import decode, encode, protocol

__all__ = [
    "EncodedEvent",
    "decode_event",
    "domain_from_wire",
    "domain_to_wire",
    "encode_event",
]

NO_CALLBACK: Final = -1
"""In the place of a registration's number, where the style has none."""

_WORD_BYTES: Final = 4
_NOT_SENT: Final = frozenset({"domain", "time", "sequence", "cause"})
_WITH_REASON: Final = frozenset({EventId.PM_WAKEUP, EventId.PM_SUSPEND, EventId.PM_SUSPEND_DISK})
# libvirt's numbers of the types of a typed parameter.
_LLONG, _ULLONG, _DOUBLE, _BOOLEAN, _STRING = 3, 4, 5, 6, 7

_Fields = tuple[object, ...]
_MakeEvent = Callable[[*tuple[object, ...]], DomainEvent]


class _Message(Protocol):
    """A class of the protocol's structures, which are all named tuples."""

    @classmethod
    def _make(cls, iterable: Iterable[object]) -> Self: ...


class EncodedEvent(NamedTuple):
    """An event as bytes, whoever is to be told of it.

    Attributes:
        procedure: The modern style's procedure.
        body: Its payload, behind the number of the registration.
        legacy_procedure: The legacy style's procedure; None for a kind that has none.
        legacy_body: Its payload.
    """

    procedure: int
    body: bytes
    legacy_procedure: int | None
    legacy_body: bytes


def _procedures(*, is_legacy: bool) -> Mapping[EventId, protocol.Procedure]:
    return {
        EventId(one.event_id): one
        for one in protocol.REMOTE_PROCEDURES.values()
        if one.event_id is not None and one.is_legacy is is_legacy
    }


_MODERN: Final = _procedures(is_legacy=False)
_LEGACY: Final = _procedures(is_legacy=True)
_SENT: Final[Mapping[EventId, tuple[str, ...]]] = {
    kind: tuple(name for name in field_names(cls) if name not in _NOT_SENT)
    for kind, cls in EVENT_CLASSES.items()
}


def encode_event(event: DomainEvent) -> EncodedEvent:
    """Encode *event* for each style that it has.

    Raises:
        LocalProtocolError: A value of it does not fit the protocol.
    """
    kind = event.event_id
    values = [_to_wire(getattr(event, name)) for name in _SENT[kind]]
    modern, legacy = _MODERN[kind], _LEGACY.get(kind)
    # The three that have a reason have it first, and not in the legacy style.
    reasons = [values.pop(0)] if kind in _WITH_REASON else []
    fields = [domain_to_wire(event.domain), *values]
    if legacy is None:
        return EncodedEvent(modern.number, _body(modern, fields), None, b"")
    message = _made(legacy, fields)
    body = _body(modern, [*reasons, message])
    return EncodedEvent(modern.number, body, legacy.number, encode(message))


def decode_event(
    procedure: protocol.Procedure, payload: bytes, time: float
) -> tuple[int, DomainEvent]:
    """Decode a message that carries a domain event.

    Args:
        procedure: The message's procedure.
        payload: The message's payload.
        time: The wall clock's time: the protocol does not carry it.

    Returns:
        The number of the registration, `NO_CALLBACK` in the legacy style; and the event.

    Raises:
        PayloadError: The payload is no such message.
    """
    kind = EventId(procedure.event_id or 0)
    fields = _decoded(procedure, payload)
    callback_id, reasons = NO_CALLBACK, [0] if kind in _WITH_REASON else []
    if not procedure.is_legacy:
        callback_id, fields = cast("int", fields[0]), fields[1:]
        if kind in _LEGACY:
            *reasons, message = cast("list[int]", list(fields))
            fields = cast("_Fields", message)
    domain = domain_from_wire(cast("protocol.NonnullDomain", fields[0]))
    make = cast("_MakeEvent", EVENT_CLASSES[kind])
    try:
        return callback_id, make(domain, *_from_wire(kind, (*reasons, *fields[1:])), time)
    except ValueError as error:  # an event, or a family of addresses, that nobody knows
        raise PayloadError(procedure.name, str(error)) from error


def domain_to_wire(domain: DomainIdentity) -> protocol.NonnullDomain:
    """Return the protocol's form of a domain's identity."""
    return protocol.NonnullDomain(domain.name, UUID(domain.uuid).bytes, domain.id)


def domain_from_wire(domain: protocol.NonnullDomain) -> DomainIdentity:
    """Return the identity that the protocol's form tells."""
    return DomainIdentity(domain.name, str(UUID(bytes=domain.uuid)), domain.id)


def _made(procedure: protocol.Procedure, fields: Iterable[object]) -> _Message:
    return cast("type[_Message]", procedure.message)._make(fields)


def _body(procedure: protocol.Procedure, fields: Iterable[object]) -> bytes:
    return encode(_made(procedure, [0, *fields]))[_WORD_BYTES:]


def _decoded(procedure: protocol.Procedure, payload: bytes) -> _Fields:
    return cast("_Fields", decode(cast("type[_Message]", procedure.message), payload))


# Values.


def _to_wire(value: object) -> object:
    match value:
        case GraphicsAddress():
            return protocol.DomainEventGraphicsAddress(int(value.family), value.node, value.service)
        case TypedParams():
            return tuple(protocol.TypedParam(name, _typed(item)) for name, item in value.items())
        case tuple():
            return tuple(
                protocol.DomainEventGraphicsIdentity(one.identity_type, one.name) for one in value
            )
        case int():
            return int(value)
    return value


def _typed(item: float | str) -> protocol.TypedParamValue:
    match item:
        case bool():
            return protocol.TypedParamValue(_BOOLEAN, int(item))
        case int():
            return protocol.TypedParamValue(_LLONG if item < 0 else _ULLONG, item)
        case str():
            return protocol.TypedParamValue(_STRING, item)
    return protocol.TypedParamValue(_DOUBLE, item)


def _from_wire(kind: EventId, values: _Fields) -> list[object]:
    if kind is EventId.LIFECYCLE:
        event, detail = cast("tuple[int, int]", values)
        known = Lifecycle(event)
        return [known, detail_from_number(known, detail)]
    annotations = EVENT_CLASSES[kind].__init__.__annotations__
    return [
        _from_wire_as(annotations[name], value)
        for name, value in zip(_SENT[kind], values, strict=True)
    ]


def _from_wire_as(annotation: object, value: object) -> object:
    """*value* as the field of an event with this annotation."""
    for one in get_args(annotation):
        if isinstance(one, type) and issubclass(one, WireEnum):
            return one.from_number(cast("int", value))
    if annotation is MemoryFailureFlags:
        return MemoryFailureFlags(cast("int", value))
    if annotation is TypedParams:
        return _params(cast("tuple[protocol.TypedParam, ...]", value))
    if isinstance(value, protocol.DomainEventGraphicsAddress):
        family = GraphicsAddressFamily.from_number(value.family)
        return GraphicsAddress(family, value.node, value.service)
    if isinstance(value, tuple):
        identities = cast("tuple[protocol.DomainEventGraphicsIdentity, ...]", value)
        return tuple(GraphicsIdentity(one.type, one.name) for one in identities)
    return value


def _params(params: tuple[protocol.TypedParam, ...]) -> TypedParams:
    return TypedParams(
        {
            one.field: bool(one.value.value) if one.value.type == _BOOLEAN else one.value.value
            for one in params
        }
    )
