# SPDX-License-Identifier: LGPL-2.1-or-later
"""The test driver: libvirt's recorded sequences, causes, and ids that are not used twice.

Whatever else it does is compared with libvirt's, live, in ``tests/differential``.
"""

import json
from pathlib import Path
from typing import Final

import pytest

import virevents
from tests.differential.memory import our_side
from tests.differential.story import Step, read
from virevents.model import DETAIL_ENUMS, Lifecycle, RequestedBy

_GOLDEN: Final[dict[str, list[tuple[str, int, str, int]]]] = json.loads(
    (Path(__file__).parent / "data" / "golden_lifecycle_test_driver.json").read_text()
)

_DEFINE: Final = "define web1 uuid=1\n"
_START: Final = "define web1 uuid=1\nstart web1\n"
_CREATE: Final = "create web1 uuid=1\n"

# What is done before, and the operation whose events were recorded.
_SCENES: Final[dict[str, tuple[str, str]]] = {
    "define": ("", "define web1 uuid=1"),
    "define_again_same_uuid": (_DEFINE, "define web1 uuid=1"),
    "start": (_DEFINE, "start web1"),
    "start_when_running": (_START, "start web1"),
    "suspend": (_START, "suspend web1"),
    "suspend_when_paused": (f"{_START}suspend web1", "suspend web1"),
    "resume": (f"{_START}suspend web1", "resume web1"),
    "resume_when_running": (_START, "resume web1"),
    "reboot": (_START, "reboot web1"),
    "reset": (_START, "reset web1"),
    "save": (_START, "save web1 file=a"),
    "restore": (f"{_START}save web1 file=a", "restore file=a"),
    "managedsave": (_START, "managed_save web1"),
    "start_from_managedsave": (f"{_START}managed_save web1", "start web1"),
    "shutdown": (_START, "shutdown web1"),
    "start_paused": (_DEFINE, "start web1 paused"),
    # Recorded after start_paused, which was refused: the domain did not run.
    "destroy_when_paused": (_DEFINE, "destroy web1"),
    "rename": (_DEFINE, "rename web1 to=web2"),
    "undefine": (_DEFINE, "undefine web1"),
    "create_transient": ("", "create web1 uuid=1"),
    "coredump_crash": (_CREATE, "core_dump web1 file=a crash"),
    "create_transient_again": (f"{_CREATE}core_dump web1 file=a crash", "create web1 uuid=1"),
    "destroy_transient": (_CREATE, "destroy web1"),
}


def _xml(more: str = "", name: str = "web1") -> str:
    return (
        f"<domain type='test'><name>{name}</name>"
        "<uuid>11111111-f6a4-8304-79aa-97f2502e193f</uuid>"
        f"<memory>1024</memory><vcpu>1</vcpu><os><type>hvm</type></os>{more}</domain>"
    )


def test_every_recorded_sequence_has_its_scene() -> None:
    assert set(_SCENES) == set(_GOLDEN)


@pytest.mark.parametrize("name", _SCENES)
def test_as_libvirt(name: str, tmp_path: Path) -> None:
    before, operation = _SCENES[name]
    with our_side(tmp_path) as ours:
        for step in read(before):
            assert ours.do(step).code == 0
        told = ours.do(Step.parse(operation)).events
    assert [list(values) for _, _, _, values in told] == [
        [event, detail] for _, event, _, detail in _GOLDEN[name]
    ]


def test_the_recorded_words_are_ours() -> None:
    for event_word, event, detail_word, detail in (
        told for one in _GOLDEN.values() for told in one
    ):
        assert str(Lifecycle(event)) == event_word.lower()
        assert str(DETAIL_ENUMS[Lifecycle(event)](detail)) == detail_word.lower()


def _ids(folder: Path, story: str) -> list[int]:
    with our_side(folder) as ours:
        told = [event for step in read(story) for event in ours.do(step).events]
    return [domain_id for _, _, domain_id, values in told if values[0] == Lifecycle.STARTED]


def test_ids_grow(tmp_path: Path) -> None:
    life = f"{_START}destroy web1\nstart web1\nsave web1 file=a\nrestore file=a\ncreate web2 uuid=2"
    assert _ids(tmp_path, life) == [2, 3, 4, 5]


def test_ids_begin_again_when_the_last_connection_closes(tmp_path: Path) -> None:
    assert _ids(tmp_path, _START) == [2]
    assert _ids(tmp_path, _START) == [2]


def _two_lives(conn: virevents.Connection, image: str) -> None:
    web = conn.define(_xml())
    web.start()
    web.shutdown()
    web.start()
    web.destroy()
    web.start()
    web.managed_save()
    web.start()
    web.save(image)
    conn.restore(image)
    web.suspend()
    web.resume()
    web.core_dump(image, mode="crash")
    conn.define(_xml("<on_reboot>destroy</on_reboot>"))
    web.start()
    web.reboot()
    web.undefine()


def test_on_whose_wish(tmp_path: Path) -> None:
    """Graceful: True where the guest was asked, False where it was not, None where neither."""
    events: list[virevents.LifecycleEvent] = []
    with virevents.open("test:///default") as conn, conn.subscribe(events.append):
        _two_lives(conn, str(tmp_path / "image"))
    assert {event.cause.requested_by for event in events} == {RequestedBy.CALL}
    assert not any(event.cause.is_reboot or event.cause.is_found_at_start for event in events)
    graceful = [(str(e.detail), e.cause.is_graceful) for e in events if str(e.event) == "stopped"]
    assert graceful == [
        ("shutdown", True),
        ("destroyed", False),
        ("saved", None),
        ("saved", None),
        ("crashed", False),
        ("shutdown", True),
    ]
    others = {e.cause.is_graceful for e in events if str(e.event) != "stopped"}
    assert others == {None}


def test_autostart_is_remembered_until_the_definition_goes() -> None:
    with virevents.open("test:///default") as conn:
        web = conn.define(_xml())
        seen = [web.is_autostarted]
        web.set_autostart()
        web.rename("web2")
        conn.define(_xml(name="web2"))
        seen.append(web.is_autostarted)
        web.set_autostart(on=False)
        seen.append(web.is_autostarted)
        web.set_autostart()
        web.undefine()
        assert seen == [False, True, False]
        assert not conn.define(_xml()).is_autostarted


def test_a_managed_save_goes_with_the_definition() -> None:
    with virevents.open("test:///default") as conn:
        web = conn.define(_xml())
        web.start()
        web.managed_save()
        with pytest.raises(virevents.StateError):
            web.undefine()
        web.undefine(managed_save=True)
        assert not conn.define(_xml()).has_managed_save
