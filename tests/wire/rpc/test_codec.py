# SPDX-License-Identifier: LGPL-2.1-or-later
"""Structures to and from bytes, beside what real peers sent."""

import random
import tracemalloc
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.wire.rpc.samples import samples
from virevents.errors import LocalProtocolError, PayloadError
from virevents.wire.rpc import codec, decode, encode
from virevents.wire.rpc.protocol import (
    LAYOUTS,
    ConnectListDomainsRet,
    ConnectOpenArgs,
    DomainEventCallbackLifecycleMsg,
    DomainEventLifecycleMsg,
    DomainGetXmlDescRet,
    DomainMigrateBegin3Ret,
    NodeGetInfoRet,
    NodeGetMemoryParametersRet,
    NonnullDomain,
    TypedParam,
    TypedParamValue,
)

_HEADER = 28
_WEB1 = NonnullDomain("web1", bytes(range(16)), -1)
_EVENT = DomainEventCallbackLifecycleMsg(3, DomainEventLifecycleMsg(_WEB1, 2, 0))


def _try_to_decode(cls: type, payload: bytes) -> tuple[object, PayloadError | None]:
    try:
        return decode(cls, payload), None
    except PayloadError as error:
        return None, error


def test_exact() -> None:
    exact = [sample for sample in samples() if sample.is_exact]
    with_payload = [sample for sample in exact if sample.structure is not None]
    assert len(exact) > 3700
    assert len(with_payload) > 2000
    for sample in with_payload:
        assert sample.structure is not None
        payload = sample.frame[_HEADER:]
        assert encode(decode(sample.structure, payload)) == payload, sample.scenario
    for sample in exact:
        assert sample.structure is not None or sample.frame[_HEADER:] == b""


def test_a_message_is_as_the_specification_says() -> None:
    name = b"\0\0\0\4web1" + bytes(range(16)) + b"\xff\xff\xff\xff"
    assert encode(_EVENT) == b"\0\0\0\3" + name + b"\0\0\0\2\0\0\0\0"
    assert decode(DomainEventCallbackLifecycleMsg, encode(_EVENT)) == _EVENT


def test_every_structure_has_its_functions() -> None:
    for cls in LAYOUTS:
        value, fault = _try_to_decode(cls, bytes(70_000))
        if fault is None:
            assert isinstance(value, cls)
            assert bytes(70_000).startswith(encode(value))
        else:
            # Only a union has a number that zero is none of.
            assert "expected the number of a type, met 0" in str(fault)


def test_lenient_as_libvirt() -> None:
    strange_presence = b"\1\0\0\0" + b"\0\0\0\1x" + b"\xaa\xbb\xcc" + b"\0\0\0\0" + b"more"
    assert decode(ConnectOpenArgs, strange_presence) == ConnectOpenArgs("x", 0)
    cut_at_zero = b"\0\0\0\1\0\0\0\3a\0b\0" + b"\0\0\0\1"
    assert decode(ConnectOpenArgs, cut_at_zero) == ConnectOpenArgs("a", 1)


@given(st.binary(max_size=40).filter(lambda raw: b"\0" not in raw))
def test_text_need_not_be_utf_8(raw: bytes) -> None:
    payload = len(raw).to_bytes(4, "big") + raw + bytes(-len(raw) % 4)
    assert encode(decode(DomainGetXmlDescRet, payload)) == payload


_STRUCTURES = sorted(LAYOUTS, key=lambda cls: cls.__name__)


@given(st.sampled_from(_STRUCTURES), st.binary(max_size=120))
def test_two_ends(cls: type, payload: bytes) -> None:
    value, fault = _try_to_decode(cls, payload)
    if fault is not None:
        assert str(fault).startswith(f"Unable to decode message payload: {cls.__name__}: ")
        assert fault.structure == cls.__name__
    else:
        # What is read again may be no number, which equals nothing; its text does.
        assert repr(decode(cls, encode(value))) == repr(value)


def test_two_ends_of_what_real_peers_sent_when_it_is_spoilt() -> None:
    chance = random.Random(1)
    for sample in samples():
        payload = bytearray(sample.frame[_HEADER:])
        if sample.structure is None or not payload:
            continue
        payload[chance.randrange(len(payload))] = chance.randrange(256)
        with suppress(PayloadError):
            decode(sample.structure, bytes(payload[: chance.randrange(len(payload) + 1)]))


@pytest.mark.parametrize(
    ("cls", "payload"),
    [
        (DomainGetXmlDescRet, b"\x00\x40\x00\x01"),
        (DomainGetXmlDescRet, b"\xff\xff\xff\xff"),
        (DomainGetXmlDescRet, b"\x00\x40\x00\x00"),
        (ConnectListDomainsRet, b"\x00\x00\x40\x01"),
        (ConnectListDomainsRet, b"\x00\x00\x40\x00"),
        (DomainMigrateBegin3Ret, b"\x00\x40\x00\x00"),
    ],
)
def test_bounded(cls: type, payload: bytes) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(PayloadError):
            decode(cls, payload)
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()


def test_what_is_cut_off_is_told() -> None:
    whole = encode(_EVENT)
    for end in range(len(whole)):
        with pytest.raises(PayloadError):
            decode(DomainEventCallbackLifecycleMsg, whole[:end])
    with pytest.raises(PayloadError, match="padding is cut off"):
        decode(DomainGetXmlDescRet, b"\0\0\0\1x")


def test_an_array_of_characters_has_a_word_for_each() -> None:
    model = tuple(b"x86_64".ljust(32, b"\0"))
    info = NodeGetInfoRet(model, 1024, 2, 1000, 1, 1, 2, 1)
    assert len(encode(info)) == 160
    assert decode(NodeGetInfoRet, encode(info)) == info


@pytest.mark.parametrize(
    "value",
    [
        TypedParamValue(1, -5),
        TypedParamValue(2, 2**32 - 1),
        TypedParamValue(3, -(2**63)),
        TypedParamValue(4, 2**64 - 1),
        TypedParamValue(5, 0.5),
        TypedParamValue(6, 1),
        TypedParamValue(7, "text"),
    ],
)
def test_a_typed_parameter_of_each_type(value: TypedParamValue) -> None:
    parameter = TypedParam("field", value)
    assert decode(TypedParam, encode(parameter)) == parameter


def test_functions_are_made_when_they_are_first_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codec, "_DECODERS", {})
    monkeypatch.setattr(codec, "_ENCODERS", {})
    parameters = NodeGetMemoryParametersRet((TypedParam("x", TypedParamValue(1, 5)),), 1)
    for _ in range(2):
        assert decode(NodeGetMemoryParametersRet, encode(parameters)) == parameters
    made = {NodeGetMemoryParametersRet, TypedParam, TypedParamValue}
    assert set(codec._DECODERS) == set(codec._ENCODERS) == made


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (_WEB1._replace(uuid=b"short"), "expected exactly 16 of it, met 5"),
        (_WEB1._replace(id=2**31), "NonnullDomain cannot be encoded"),
        (_WEB1._replace(name="x" * 4194305), "expected at most 4194304 bytes, met 4194305"),
        (ConnectListDomainsRet(tuple(range(16385))), "expected at most 16384 of it, met 16385"),
        (TypedParam("x", TypedParamValue(8, 0)), "expected the number of a type, met 8"),
        (TypedParam("x", TypedParamValue(1, "no")), "TypedParam cannot be encoded"),
        ("no structure", "expected a structure of the protocol, met str"),
    ],
)
def test_own_fault(value: object, why: str) -> None:
    with pytest.raises(LocalProtocolError, match=why):
        encode(value)


def test_a_class_that_is_none_is_refused() -> None:
    with pytest.raises(LocalProtocolError, match="expected a structure of the protocol, met int"):
        decode(int, b"\0\0\0\0")
