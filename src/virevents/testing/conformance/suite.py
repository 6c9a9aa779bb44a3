# SPDX-License-Identifier: LGPL-2.1-or-later
"""The conformance suite: what every driver does, as tests that pytest runs.

It stands apart from the profile because it imports pytest; nothing else of the library does but
the parts of this suite.

Confined to the thread that runs the tests, but for the threads that a test starts and joins.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from virevents.drivers import Capability
from virevents.errors import (
    DomainExistsError,
    DomainNotFoundError,
    InvalidArgumentError,
    OperationTimeoutError,
    StateError,
    UnsupportedError,
    VireventsError,
)
from virevents.model import INACTIVE_ID, DomainState, Lifecycle
from virevents.testing.conformance.contract import ContractTests
from virevents.testing.conformance.profile import Profile
from virevents.testing.conformance.scenes import (
    REFUSALS,
    SCENES,
    Refusal,
    Scene,
    capability_of,
    playable,
)
from virevents.testing.conformance.stage import STEPS, Stage, stage, uuid_of

__all__ = ["ConformanceSuite"]

# Steps that need no domain, so that a domain that has gone does not matter to them.
_BRINGING_UP: Final = frozenset({"define", "create", "restore"})


class ConformanceSuite(ContractTests):
    """Every test of the kit; a subclass whose name begins with ``Test`` gives the profile."""

    profile: Profile

    @pytest.fixture
    def on(self, tmp_path: Path) -> Iterator[Stage]:
        """Open the driver on a stage of its own."""
        with stage(self.profile, tmp_path) as opened:
            yield opened

    @pytest.fixture(autouse=True)
    def listed_at_the_end(self, request: pytest.FixtureRequest) -> None:
        """Have the summary list what the driver does not declare."""
        name = "virevents-conformance"
        plugin = request.config.pluginmanager.get_plugin(name)
        if not isinstance(plugin, _Report):
            plugin = _Report()
            request.config.pluginmanager.register(plugin, name)
        plugin.profiles[self.profile.name] = self.profile

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Give each test the scenes that the driver declares; at collection, by pytest."""
        if "scene" in metafunc.fixturenames:
            scenes = [s for s in SCENES if playable(self.profile, (*s.before, s.step))]
            metafunc.parametrize("scene", scenes, ids=lambda scene: scene.name)
        if "refusal" in metafunc.fixturenames:
            refusals = [
                refusal
                for refusal in REFUSALS
                if playable(self.profile, refusal.before)
                and capability_of(refusal.step) in self.profile.capabilities
            ]
            metafunc.parametrize("refusal", refusals, ids=lambda refusal: refusal.name)
        if "refused_step" in metafunc.fixturenames:
            metafunc.parametrize("refused_step", sorted(self.profile.refused) or [None])

    # -- operations

    def test_scene(self, on: Stage, scene: Scene) -> None:
        """An operation tells its events in their order, and leads to its state."""
        on.do(*scene.before)
        on.play(scene.step)
        events = on.expect(*self.profile.told(scene.name))
        on.expect_only(())
        assert on.state(scene.domain) == self.profile.states.get(scene.name, scene.after)
        for event in events:
            assert event.domain.uuid == uuid_of("web1")
            assert event.domain.name in {"web1", scene.domain}
            assert event.time > 0
            if event.event is Lifecycle.STARTED:
                assert event.domain.id > 0
            if event.event is Lifecycle.STOPPED:
                assert event.domain.id == INACTIVE_ID
        sequences = [event.sequence for event in events]
        assert sequences == sorted(set(sequences))

    def test_refusal(self, on: Stage, refusal: Refusal) -> None:
        """An operation that the state does not allow changes nothing and tells nothing."""
        on.do(*refusal.before)
        before = on.domain().state()
        with pytest.raises(StateError) as refused:
            STEPS[refusal.step](on)
        assert refused.value.state
        assert on.domain().state() == before
        on.expect_only(())

    def test_refused(self, on: Stage, refused_step: str | None) -> None:
        """A flag that the driver does not have is refused, and nothing happens."""
        if refused_step is None:
            return  # it refuses none
        scene = next(scene for scene in SCENES if scene.step == refused_step)
        if playable(self.profile, scene.before):
            on.do(*scene.before)
        before = on.state()
        with pytest.raises((UnsupportedError, InvalidArgumentError)):
            STEPS[refused_step](on)
        assert on.state() == before
        on.expect_only(())

    def test_shutdown_that_is_not_obeyed(self, on: Stage) -> None:
        """Who waits for it is told so in time, and the domain goes on."""
        if not playable(self.profile, ("shutdown", "deaf")):
            return  # listed in the report: not declared, or without cue
        on.do("define", "start", "deaf")
        with pytest.raises(OperationTimeoutError):
            on.domain().shutdown(timeout=0.2)
        assert on.state() is DomainState.RUNNING
        on.expect_only(())

    def test_autostart_is_remembered(self, on: Stage) -> None:
        """It is off at first, and then what it was last set to."""
        if not playable(self.profile, ("set_autostart",)):
            return  # listed in the report as not declared
        on.do("define")
        domain = on.domain()
        seen = [domain.is_autostarted]
        for wanted in (True, True, False):
            domain.set_autostart(on=wanted)
            seen.append(domain.is_autostarted)
        assert seen == [False, True, True, False]
        on.expect_only(())

    def test_gone(self, on: Stage) -> None:
        """Every operation on a domain that has gone says so."""
        on.do("define")
        gone = on.domain()
        on.do("undefine")
        with pytest.raises(DomainNotFoundError):
            gone.state()
        for one in sorted(self.profile.capabilities, key=str):
            if one.value not in _BRINGING_UP:
                with pytest.raises(DomainNotFoundError):
                    _on_handle(gone, one, on)
        on.expect_only(())

    def test_declared(self, on: Stage) -> None:
        """The driver declares what the profile says, and refuses the rest by name."""
        assert on.connection.capabilities == self.profile.capabilities
        on.do("define")
        for one in self.profile.undeclared:
            with pytest.raises(UnsupportedError, match=one.value):
                STEPS[one.value](on)
        on.expect_only(())

    def test_a_bad_definition(self, on: Stage) -> None:
        """What cannot be read is refused and leaves no domain."""
        before = len(on.connection.list())
        for text in ("", "<domain", "<domain/>", on.xml().replace("web1", "a/b")):
            with pytest.raises(VireventsError):
                on.connection.define(text)
        assert len(on.connection.list()) == before
        on.expect_only(())

    # -- look-ups

    def test_looked_up(self, on: Stage) -> None:
        """A domain is found by name, uuid in any spelling and, while it runs, by id."""
        on.do("define", "start")
        uuid = uuid_of("web1")
        domain = on.connection.lookup("web1")
        assert domain.uuid == uuid
        assert on.connection.lookup_uuid(uuid.upper()) == domain
        assert domain.id > 0
        assert on.connection.lookup_id(domain.id) == domain
        assert domain.is_persistent
        assert "web1" in domain.xml()
        on.do("destroy" if Capability.DESTROY in self.profile.capabilities else "shutdown")
        assert domain.id == INACTIVE_ID

    def test_not_found(self, on: Stage) -> None:
        """What is not there is said to be not there."""
        with pytest.raises(DomainNotFoundError):
            on.connection.lookup("web1")
        with pytest.raises(DomainNotFoundError):
            on.connection.lookup_uuid(uuid_of("web1"))
        with pytest.raises(DomainNotFoundError):
            on.connection.lookup_id(2**30)
        with pytest.raises(DomainNotFoundError):
            on.connection.lookup_id(INACTIVE_ID)

    def test_listed(self, on: Stage) -> None:
        """The list has every domain once, and tells the running from the others."""
        on.define("web2")
        on.define()
        on.domain().start()
        names = {domain.name for domain in on.connection.list()}
        active = {domain.name for domain in on.connection.list(active=True)}
        assert {"web1", "web2"} <= names
        assert "web1" in active
        assert "web2" not in active
        assert {d.name for d in on.connection.list(active=False)} == names - active
        assert len(on.connection.list()) == len(names)

    def test_unique(self, on: Stage) -> None:
        """A name has one uuid and a uuid one name."""
        on.do("define")
        other_uuid = self.profile.xml(on.folder, "web1", uuid_of("web2"))
        other_name = self.profile.xml(on.folder, "web2", uuid_of("web1"))
        for text in (other_uuid, other_name):
            with pytest.raises(DomainExistsError):
                on.connection.define(text)
        assert on.state() is DomainState.SHUTOFF
        assert on.state("web2") is None
        on.expect_only(())


def _on_handle(gone: object, one: Capability, on: Stage) -> None:
    """Call the operation on a handle that was taken before the domain went."""
    arguments = {
        Capability.SAVE: (on.image,),
        Capability.CORE_DUMP: (on.image,),
        Capability.RENAME: ("web2",),
    }
    operation = getattr(gone, one.value)
    operation(*arguments.get(one, ()))


class _Report:
    """Lists, at the end of the run, what each driver does not declare, and what it refuses."""

    def __init__(self) -> None:
        self.profiles: Final[dict[str, Profile]] = {}

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Write one line a driver; by pytest."""
        terminalreporter.section("driver conformance")
        for name, profile in sorted(self.profiles.items()):
            missing = ", ".join(one.value for one in profile.undeclared) or "nothing"
            refused = ", ".join(sorted(profile.refused)) or "nothing"
            uncued = ", ".join(profile.uncued) or "nothing"
            terminalreporter.line(
                f"{name}: not declared: {missing}; refused: {refused}; not played: {uncued}"
            )
