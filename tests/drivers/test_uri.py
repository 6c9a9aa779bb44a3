# SPDX-License-Identifier: LGPL-2.1-or-later
import pytest
from hypothesis import given
from hypothesis import strategies as st

from virevents.drivers import ConnectionUri
from virevents.errors import InvalidArgumentError

_URIS = [
    ("test:///default", ConnectionUri("test", "", "", "/default", ())),
    (
        "qemu:///embed?root=/var/lib/x",
        ConnectionUri("qemu", "", "", "/embed", (("root", "/var/lib/x"),)),
    ),
    (
        "qemu+ssh://root@host:22/system",
        ConnectionUri("qemu", "ssh", "root@host:22", "/system", ()),
    ),
    (
        "qemu+unix:///system?socket=/run/a%20b&no_tty=1",
        ConnectionUri("qemu", "unix", "", "/system", (("socket", "/run/a b"), ("no_tty", "1"))),
    ),
    ("test:///a%20folder/%C3%A9.xml", ConnectionUri("test", "", "", "/a folder/é.xml", ())),
    ("test://", ConnectionUri("test", "", "", "", ())),
    ("qemu:///embed?root=", ConnectionUri("qemu", "", "", "/embed", (("root", ""),))),
]


@pytest.mark.parametrize(("text", "parsed"), _URIS)
def test_parse(text: str, parsed: ConnectionUri) -> None:
    assert ConnectionUri.parse(text) == parsed


@pytest.mark.parametrize("text", [text for text, _ in _URIS])
def test_round_trip(text: str) -> None:
    parsed = ConnectionUri.parse(text)
    assert ConnectionUri.parse(str(parsed)) == parsed


_TEXT = st.text(st.characters(min_codepoint=1, exclude_categories=["Cs"]), max_size=12)


@given(_TEXT, st.lists(st.tuples(_TEXT.filter(bool), _TEXT), max_size=3))
def test_round_trip_of_any_path_and_parameters(
    path: str, parameters: list[tuple[str, str]]
) -> None:
    made = ConnectionUri("test", "", "", f"/{path}", tuple(parameters))
    assert ConnectionUri.parse(str(made)) == made


@pytest.mark.parametrize(
    "text",
    [
        "",
        "default",
        "test:default",
        "test:/default",
        "/default",
        "://default",
        "test:///default#part",
        "test://[::1/default",
        "qemu:///embed?root",
        "qemu:///embed?&",
    ],
)
def test_what_is_no_uri_is_refused(text: str) -> None:
    with pytest.raises(InvalidArgumentError, match="connection URI"):
        ConnectionUri.parse(text)


@given(st.text(max_size=40))
def test_any_text_ends_in_a_uri_or_the_documented_error(text: str) -> None:
    try:
        ConnectionUri.parse(text)
    except InvalidArgumentError:
        return


def test_parameter() -> None:
    uri = ConnectionUri.parse("qemu:///embed?root=/x")
    assert uri.parameter("root") == "/x"
    assert uri.parameter("socket") is None


def test_known_parameters_pass() -> None:
    ConnectionUri.parse("qemu:///embed?root=/x").refuse_unknown_parameters({"root"})


def test_unknown_named() -> None:
    uri = ConnectionUri.parse("qemu:///embed?rot=/x")
    expected = r"unknown URI parameter 'rot'.*known here: root"
    with pytest.raises(InvalidArgumentError, match=expected):
        uri.refuse_unknown_parameters({"root"})
    with pytest.raises(InvalidArgumentError, match="known here: none"):
        uri.refuse_unknown_parameters(())


def test_a_parameter_given_twice_is_named() -> None:
    uri = ConnectionUri.parse("qemu:///embed?root=/x&root=/y")
    with pytest.raises(InvalidArgumentError, match="'root' is given twice"):
        uri.refuse_unknown_parameters({"root"})
