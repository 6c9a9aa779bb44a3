# SPDX-License-Identifier: LGPL-2.1-or-later
"""The two test drivers, libvirt's and ours, as the sides of a trial.

Each side begins with a driver that nobody has used: libvirt's is in a process of its own, ours
goes with its last connection. Both answer at once, so nothing is waited for.

Confined to the thread that makes them.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import virevents
from tests.differential.calls import LOOKS, Call, call_of, event_values, run
from tests.differential.outcome import Outcome
from tests.differential.story import Step
from tests.interop.libvirtd.stock_client import Answer, Json, StockClient
from virevents.errors import VireventsError
from virevents.model import DomainEvent

__all__ = ["NAMES", "UUIDS", "OurMemory", "StockMemory", "our_side", "plain_values", "sides"]

_PATIENCE: Final = 30.0  # seconds; only a failing test uses them
_URI: Final = "test:///default"

NAMES: Final = ("test", "web1", "web2")
"""The names of a story; the first is that of the domain which is there from the start."""

UUIDS: Final = (
    "6695eb01-f6a4-8304-79aa-97f2502e193f",
    "11111111-2222-3333-4444-555555555551",
    "11111111-2222-3333-4444-555555555552",
)
"""Their uuids, in the same order."""


class _World:
    """What the words of a step stand for: files in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder: Final = folder

    def uuid(self, number: str) -> str:
        return UUIDS[int(number)]

    def path(self, letter: str) -> str:
        return str(self.folder / letter)

    def xml(self, step: Step) -> str:
        actions = "".join(
            f"<{action}>{step.get(action)}</{action}>"
            for action in ("on_poweroff", "on_reboot", "on_crash")
            if step.get(action)
        )
        xml = (
            f"<domain type='test'><name>{step.name}</name><uuid>{self.uuid(step.get('uuid'))}"
            f"</uuid><memory>8192</memory><vcpu>{step.get('vcpus', '1')}</vcpu>"
            f"<os><type>hvm</type></os>{actions}</domain>"
        )
        return "<domain" if step.has("garbage") else xml


class StockMemory:
    """libvirt's test driver."""

    def __init__(self, stock: StockClient, folder: Path) -> None:
        self._stock: Final = stock
        self._world: Final = _World(folder)

    def do(self, step: Step) -> Outcome:
        """Do one step."""
        call = call_of(step, self._world)
        answer = self._stock.ask(call.verb, *call.arguments, named=dict.fromkeys(call.flags, True))
        return Outcome(
            code=answer.code,
            text=answer.text.replace(str(self._world.folder), "FOLDER"),
            result=answer.result if step.verb in LOOKS else None,
            events=tuple(
                (event.event_id.replace("-", ""), event.name, event.id, plain_values(event.values))
                for event in answer.events
            ),
            domains=_seen(self._stock.ask("domains")),
        )

    def more(self) -> Outcome | None:
        """Nothing more comes: all was told at once."""
        return None


def plain_values(values: list[Json]) -> tuple[Json, ...]:
    """Return what an event says, without what varies from play to play, as a job's figures."""
    return tuple(value if isinstance(value, int | str | float) else None for value in values)


def _seen(answer: Answer) -> dict[str, tuple[Json, ...]]:
    assert isinstance(answer.result, list)
    rows = [row for row in answer.result if isinstance(row, list)]
    return {str(name): tuple(facts) for name, *facts in rows}


class OurMemory:
    """Our test driver."""

    def __init__(self, conn: virevents.Connection, folder: Path) -> None:
        self._conn: Final = conn
        self._world: Final = _World(folder)
        self._events: Final[list[DomainEvent]] = []
        self._subscription: Final = conn.subscribe(self._events.append, event_id="all")

    def do(self, step: Step) -> Outcome:
        """Do one step."""
        code, text, result = self._run(call_of(step, self._world))
        assert self._subscription.drain(_PATIENCE)
        events, self._events[:] = tuple(self._events), []
        return Outcome(
            code=code,
            text=text.replace(str(self._world.folder), "FOLDER"),
            result=result if step.verb in LOOKS else None,
            events=tuple(
                (e.event_id.word.replace("-", ""), e.domain.name, e.domain.id, event_values(e))
                for e in events
            ),
            domains={
                domain.name: (
                    domain.uuid,
                    domain.id,
                    *map(int, domain.state()),
                    domain.is_persistent,
                    domain.has_managed_save,
                )
                for domain in self._conn.list()
            },
        )

    def more(self) -> Outcome | None:
        """Nothing more comes: all was told at once."""
        return None

    def _run(self, call: Call) -> tuple[int, str, Json]:
        try:
            return 0, "", run(self._conn, call)
        except VireventsError as error:
            return error.code, str(error), None


@contextmanager
def our_side(folder: Path) -> Iterator[OurMemory]:
    """Open ours alone."""
    with virevents.open(_URI) as conn:
        yield OurMemory(conn, folder)


@contextmanager
def sides(folder: Path) -> Iterator[tuple[OurMemory, StockMemory]]:
    """Open both, each with a folder of its own below *folder*; no save is in the file "garbage"."""
    ours, theirs = folder / "ours", folder / "stock"
    for each in (ours, theirs):
        each.mkdir()
        (each / "garbage").write_text("no image at all, and long enough to hold a header")
    with StockClient(_URI) as stock, our_side(ours) as our:
        yield our, StockMemory(stock, theirs)
