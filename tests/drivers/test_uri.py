# SPDX-License-Identifier: LGPL-2.1-or-later
"""Connection URIs: taken apart and put together, and what is wrong is named."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from virevents.drivers import ConnectionUri
from virevents.errors import InvalidArgumentError

_WORD = st.from_regex(r"[a-z][a-z0-9]{0,8}", fullmatch=True)
_TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), max_size=12)


@given(
    driver=_WORD,
    transport=st.sampled_from(["", "unix", "tcp", "tls", "ssh"]),
    authority=st.sampled_from(["", "host", "root@host:22"]),
    path=_TEXT.map(lambda text: "/" + text),
    parameters=st.lists(st.tuples(_WORD, _TEXT), max_size=3),
)
def test_round_trip(
    driver: str,
    transport: str,
    authority: str,
    path: str,
    parameters: list[tuple[str, str]],
) -> None:
    uri = ConnectionUri(driver, transport, authority, path, tuple(parameters))
    assert ConnectionUri.parse(str(uri)) == uri


@pytest.mark.parametrize(
    "text",
    ["test:///default", "qemu:///embed?root=/srv/vm", "qemu+ssh://root@host/system?socket=/run/x"],
)
def test_round_trip_of_text(text: str) -> None:
    assert str(ConnectionUri.parse(text)) == text


def test_parts() -> None:
    uri = ConnectionUri.parse("qemu+unix:///a%20b?socket=/run/x&mode=")
    assert (uri.driver, uri.transport, uri.authority, uri.path) == ("qemu", "unix", "", "/a b")
    assert uri.parameter("socket") == "/run/x"
    assert uri.parameter("mode") == ""
    assert uri.parameter("other") is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "default",
        "/default",
        "test:/default",
        "://x",
        "test:///a#b",
        "test:///a?b",
        "test://[x/",
    ],
)
def test_what_is_no_uri_is_refused(text: str) -> None:
    with pytest.raises(InvalidArgumentError, match="connection URI"):
        ConnectionUri.parse(text)


def test_unknown_named() -> None:
    uri = ConnectionUri.parse("qemu:///embed?root=/a&color=red")
    with pytest.raises(InvalidArgumentError, match=r"'color'.*known here: root"):
        uri.refuse_unknown_parameters(["root"])
    uri.refuse_unknown_parameters(["root", "color"])


def test_given_twice_is_refused() -> None:
    uri = ConnectionUri.parse("qemu:///embed?root=/a&root=/b")
    with pytest.raises(InvalidArgumentError, match="'root' is given twice"):
        uri.refuse_unknown_parameters(["root"])
