"""Finds out what is behind a module: which units answer, of which family and model. Sends reads only."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import chain, zip_longest
from typing import TYPE_CHECKING, Final

from .. import connection_log
from ..profiles import PROFILES, family_of
from ..profiles.declaration import Block
from ..profiles.decoding import decode
from ..profiles.inverter import INVERTER
from ..profiles.profile import Profile
from ..profiles.srne import SRNE
from ..protocol.characteristics import has_notifier
from ..protocol.errors import ErrorCode, ReaderError
from ..protocol.modbus import BROADCAST_UNIT
from ..protocol.radio import RADIO_ERRORS
from ..protocol.session import REQUEST_TIMEOUT, REQUEST_TRIES, Client, Session, open_session
from .result import Finding
from .timeouts import PROBE_BUDGET, PROBE_TIMEOUT

if TYPE_CHECKING:
    from ..protocol.session import Link


PRODUCT_TYPE: Final = Block(key="product_type", start=0x000A, words=2, identity=True)
"""The low byte of its second word tells an inverter with the maker's own map (SRNE V1.7)."""
SRNE_PRODUCTS: Final = frozenset({3, 4, 5})

UNIT_IDS: Final = range(1, 248)

ASKED: Final = tuple(profile for profile in PROFILES.values() if profile.push is None)


class Ambiguous(Exception):
    """A unit answers as several families do, and does not tell which one it is."""


def likely_unit_ids() -> Iterator[int]:
    """Yield all unit IDs that devices are known by: the likeliest of each family first."""
    rows = zip_longest(*(profile.units for profile in ASKED))
    return iter(dict.fromkeys(unit_id for unit_id in chain(*rows) if unit_id is not None))


def _pushing(client: Client) -> Profile | None:
    """Return the family of a connected device that sends by itself; None if it does not."""
    with suppress(*RADIO_ERRORS):  # a link that has just dropped has no services any more
        for profile in PROFILES.values():
            if profile.push is not None and has_notifier(client.services, profile.push):
                return profile
    return None


class Prober:
    """Asks around over a link; `close` must follow, whatever happens."""

    def __init__(
        self, link: Link, budget: float = PROBE_BUDGET, unit_ids: Sequence[int] = ()
    ) -> None:
        """Prepare to ask, for so many seconds once it is connected; these unit IDs first."""
        self._link = link
        self._budget = budget
        self._unit_ids = unit_ids
        self._session: Session | None = None
        self._deadline = 0.0

    async def identify(self) -> Finding:
        """Return the first unit that answers, and what it is. Raises ReaderError(no_response) if none does."""
        if (pushing := await self._open()) is not None:
            return Finding(unit_id=None, profile=pushing.key, model=pushing.models[0].key)
        queue = list(dict.fromkeys((*self._unit_ids, *likely_unit_ids())))
        asked: set[int] = set()
        while queue:
            unit_id = queue.pop(0)
            asked.add(unit_id)
            try:
                finding = await self._look_at(unit_id, self._families_at(unit_id))
            except Ambiguous as err:
                raise ReaderError(ErrorCode.NO_RESPONSE, f"unit {unit_id} {err}") from err
            if finding is not None:
                return finding
            other = self._take_other_unit()
            if other is not None and other not in asked:
                # asked as 255 it has answered under its own address
                queue = [other, *(unit_id for unit_id in queue if unit_id != other)]
        raise ReaderError(
            ErrorCode.NO_RESPONSE, "no Renogy device answers behind the module, under any address"
        )

    async def find_all(self) -> list[Finding]:
        """Return all units that answer: at the likely unit IDs, and in runs around each one found.

        Raises ReaderError if the link fails.
        """
        if await self._open() is not None:
            return []
        found: dict[int, Finding] = {}
        units = dict.fromkeys((*self._unit_ids, *likely_unit_ids()))
        # asked as 255 several would answer at once
        queue = [
            (unit_id, self._families_at(unit_id)) for unit_id in units if unit_id != BROADCAST_UNIT
        ]
        asked: set[tuple[int, str]] = set()
        while queue:
            unit_id, families = queue.pop(0)
            families = [family for family in families if (unit_id, family.key) not in asked]
            if unit_id in found or not families:
                continue
            asked.update((unit_id, family.key) for family in families)
            try:
                finding = await self._look_at(unit_id, families)
            except Ambiguous as err:
                connection_log.debug(f"unit {unit_id} is left out: {err}")
                continue
            if finding is not None:
                found[unit_id] = finding
                family = [PROFILES[finding.profile]]
                around = [near for near in (unit_id - 1, unit_id + 1) if near in UNIT_IDS]
                queue = [*((near, family) for near in around), *queue]
        return list(found.values())

    async def look_at(self, session: Session, unit_id: int, deadline: float) -> Finding | None:
        """Return what answers at one address, over a link that is open; None if nothing does.

        Until `deadline` by the event loop's clock. Raises ReaderError if the link fails.
        """
        self._session, self._deadline = session, deadline
        try:
            return await self._look_at(unit_id, self._families_at(unit_id))
        except Ambiguous as err:
            connection_log.debug(f"unit {unit_id} is left out: {err}")
            return None

    async def close(self) -> None:
        """Disconnect."""
        await self._link.disconnect()

    async def _open(self) -> Profile | None:
        """Connect; return the family of a device that is not asked, because it sends by itself."""
        client = await self._link.connect()
        if (pushing := _pushing(client)) is not None:
            return pushing
        self._session = await open_session(self._link, BROADCAST_UNIT, client=client)
        self._deadline = asyncio.get_running_loop().time() + self._budget
        return None

    def _families_at(self, unit_id: int) -> list[Profile]:
        """Return the families that are known to live at an address; all, if none is or it was named."""
        known = [profile for profile in ASKED if unit_id in profile.units]
        return list(ASKED) if unit_id in self._unit_ids or not known else known

    async def _look_at(self, unit_id: int, families: Sequence[Profile]) -> Finding | None:
        """Return what a unit is; None if it does not answer as any of these families does."""
        assert self._session is not None
        self._session.unit_id = unit_id
        self._take_other_unit()
        asked: set[int] = set()
        for profile in families:
            live = next(block for block in profile.blocks if block.required)
            if live.start in asked:
                continue  # controllers and DC-DC chargers begin alike
            asked.add(live.start)
            if await self._answers(live):
                return await self._describe(unit_id, profile)
            if self._session.other_unit_id is not None:
                return None
            if profile is INVERTER and await self._is_srne():
                # hybrids have that map beside the other one: a lost reply must not decide
                if await self._ask(live, REQUEST_TIMEOUT, REQUEST_TRIES):
                    return await self._describe(unit_id, profile)
                return Finding(unit_id=unit_id, profile=INVERTER.key, model=SRNE.key)
        return None

    async def _describe(self, unit_id: int, profile: Profile) -> Finding:
        """Return what a unit calls itself. Raises Ambiguous."""
        register_map = profile.register_map()
        registers: dict[int, int] = {}
        for block in register_map.blocks:
            if block.key in ("model", "serial", "version"):
                words = await self._ask(block, REQUEST_TIMEOUT, REQUEST_TRIES)
                registers.update(zip(block.registers, words, strict=False))
        values = decode(register_map, registers).values
        text, serial_number = values.get("model"), values.get("serial_number")
        known = family_of(text) if isinstance(text, str) else None
        live = next(block for block in profile.blocks if block.required)
        alike = [other.name for other in ASKED if live in other.blocks]
        if text is None and len(alike) > 1:
            raise Ambiguous(f"answers as a {' and a '.join(alike)} do, and names no model")
        return Finding(
            unit_id=unit_id,
            profile=(known[0] if known else profile).key,
            model=known[1].key if known else None,
            model_text=str(text) if text else None,
            serial_number=str(serial_number) if serial_number else None,
        )

    async def _is_srne(self) -> bool:
        """Whether an inverter with the maker's own map is there."""
        words = await self._ask(PRODUCT_TYPE)
        return bool(words) and words[1] & 0xFF in SRNE_PRODUCTS

    async def _answers(self, block: Block) -> bool:
        return bool(await self._ask(block))

    async def _ask(
        self, block: Block, timeout: float | None = None, tries: int = 1
    ) -> tuple[int, ...]:
        """Return the words of a block; none if it is refused or nobody answers. Raises ReaderError."""
        assert self._session is not None
        left = self._deadline - asyncio.get_running_loop().time()
        if left <= 0:
            raise ReaderError(
                ErrorCode.READER_TIMEOUT, f"the search was not done within {self._budget:g} s"
            )
        try:
            return await self._session.read(block, min(timeout or PROBE_TIMEOUT, left), tries)
        except ReaderError as err:
            if err.code is ErrorCode.CONNECT_FAILED:
                raise
            connection_log.debug(f"unit {self._session.unit_id}, {block.key}: {err.message}")
            return ()

    def _take_other_unit(self) -> int | None:
        assert self._session is not None
        other, self._session.other_unit_id = self._session.other_unit_id, None
        return other
