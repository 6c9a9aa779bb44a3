# SPDX-License-Identifier: LGPL-2.1-or-later
"""The test driver: libvirt's recorded sequences, causes, and ids that are not used twice."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pytest

import virevents
from tests.drivers.test_driver.operations import UUID, Operation, xml
from tests.drivers.test_driver.ours import ours
from virevents.model import DETAIL_ENUMS, Lifecycle, RequestedBy

_GOLDEN: Final[dict[str, list[tuple[str, int, str, int]]]] = json.loads(
    (Path(__file__).parent / "data" / "golden_lifecycle_test_driver.json").read_text()
)

_DEFINE: Final[Operation] = ["define", xml()]
_START: Final[Operation] = ["start", "t1"]
_SUSPEND: Final[Operation] = ["suspend", "t1"]
_CREATE: Final[Operation] = ["create", xml()]
_SAVE: Final[Operation] = ["save", "t1", "image"]
_CRASH: Final[Operation] = ["core_dump", "t1", "dump", True]

# What is done before, and the operation whose events were recorded.
_SCENES: Final[dict[str, tuple[list[Operation], Operation]]] = {
    "define": ([], _DEFINE),
    "define_again_same_uuid": ([_DEFINE], _DEFINE),
    "start": ([_DEFINE], _START),
    "start_when_running": ([_DEFINE, _START], _START),
    "suspend": ([_DEFINE, _START], _SUSPEND),
    "suspend_when_paused": ([_DEFINE, _START, _SUSPEND], _SUSPEND),
    "resume": ([_DEFINE, _START, _SUSPEND], ["resume", "t1"]),
    "resume_when_running": ([_DEFINE, _START], ["resume", "t1"]),
    "reboot": ([_DEFINE, _START], ["reboot", "t1"]),
    "reset": ([_DEFINE, _START], ["reset", "t1"]),
    "save": ([_DEFINE, _START], _SAVE),
    "restore": ([_DEFINE, _START, _SAVE], ["restore", "image"]),
    "managedsave": ([_DEFINE, _START], ["managed_save", "t1"]),
    "start_from_managedsave": ([_DEFINE, _START, ["managed_save", "t1"]], _START),
    "shutdown": ([_DEFINE, _START], ["shutdown", "t1"]),
    "start_paused": ([_DEFINE], ["start", "t1", True]),
    # Recorded after start_paused, which was refused: the domain did not run.
    "destroy_when_paused": ([_DEFINE], ["destroy", "t1"]),
    "rename": ([_DEFINE], ["rename", "t1", "t2"]),
    "undefine": ([_DEFINE], ["undefine", "t1"]),
    "create_transient": ([], _CREATE),
    "coredump_crash": ([_CREATE], _CRASH),
    "create_transient_again": ([_CREATE, _CRASH], _CREATE),
    "destroy_transient": ([_CREATE], ["destroy", "t1"]),
}


def test_every_recorded_sequence_has_its_scene() -> None:
    assert set(_SCENES) == set(_GOLDEN)


@pytest.mark.parametrize("name", _SCENES)
def test_as_libvirt(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    before, operation = _SCENES[name]
    with ours() as opened:
        for step in before:
            assert opened.run(step)["error"] is None
        told = opened.run(operation)["events"]
    assert [what for _, _, *what in told] == [
        [event, detail] for _, event, _, detail in _GOLDEN[name]
    ]


def test_the_recorded_words_are_ours() -> None:
    for event_word, event, detail_word, detail in (
        told for one in _GOLDEN.values() for told in one
    ):
        assert str(Lifecycle(event)) == event_word.lower()
        assert str(DETAIL_ENUMS[Lifecycle(event)](detail)) == detail_word.lower()


def _ids(operations: Sequence[Operation]) -> list[int]:
    with ours() as opened:
        told = [event for operation in operations for event in opened.run(operation)["events"]]
    return [domain_id for _, domain_id, event, _ in told if event == Lifecycle.STARTED]


def test_ids_grow(tmp_path: Path) -> None:
    image = str(tmp_path / "image")
    life: list[Operation] = [
        _DEFINE,
        _START,
        ["destroy", "t1"],
        _START,
        ["save", "t1", image],
        ["restore", image],
        ["create", xml("t2", UUID.replace("1111", "3333"))],
    ]
    assert _ids(life) == [2, 3, 4, 5]


def test_on_whose_wish(tmp_path: Path) -> None:
    """Graceful: True where the guest was asked, False where it was not, None where neither."""
    image = str(tmp_path / "image")
    with virevents.open("test:///default") as conn:
        events: list[virevents.LifecycleEvent] = []
        with conn.subscribe(events.append):
            web = conn.define(xml())
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
            conn.define(xml(more="<on_reboot>destroy</on_reboot>"))
            web.start()
            web.reboot()
            web.undefine()
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
        web = conn.define(xml())
        seen = [web.is_autostarted]
        web.set_autostart()
        web.rename("t2")
        conn.define(xml("t2"))
        seen.append(web.is_autostarted)
        web.set_autostart(on=False)
        seen.append(web.is_autostarted)
        web.set_autostart()
        web.undefine()
        assert seen == [False, True, False]
        assert not conn.define(xml()).is_autostarted


def test_a_managed_save_goes_with_the_definition() -> None:
    with virevents.open("test:///default") as conn:
        web = conn.define(xml())
        web.start()
        web.managed_save()
        with pytest.raises(virevents.StateError):
            web.undefine()
        web.undefine(managed_save=True)
        assert not conn.define(xml()).has_managed_save


def test_ids_begin_again_when_the_last_connection_closes() -> None:
    life: list[Operation] = [_DEFINE, _START]
    assert _ids(life) == [2]
    assert _ids(life) == [2]
