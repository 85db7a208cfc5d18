"""Reads one device by the best way there is, and by another one when that fails."""

from collections.abc import Awaitable, Callable, Mapping
import logging
import math
import time
from typing import Any, Final

from homeassistant.components import bluetooth
from homeassistant.core import HomeAssistant, callback

from ..const import RouteKind
from ..lib.blupow_ble.protocol.errors import ErrorCode, ReaderCannotStart, ReaderError, Stage
from ..lib.blupow_ble.reader.messages import VIRTUAL
from ..lib.blupow_ble.reader.result import Finding, Reading
from ..lib.blupow_ble.supervisor.policies import ScannerRecord
from ..options import RouteChoice
from . import FindPlan, NoRoute, Path, Reader, ReadPlan
from .in_process import InProcessReader
from .isolated import IsolatedReader
from .processes import note_no_process, try_processes, why_no_process
from .route import choose, find_route, virtual_route
from .scanners import scanners_hearing

_LOGGER = logging.getLogger(__name__)

NOT_THE_ROUTES_FAULT: Final = frozenset(
    {
        ErrorCode.NO_SLOT,
        ErrorCode.PAIRING_REQUIRED,
        ErrorCode.WRONG_UNIT,
        ErrorCode.MODBUS_EXCEPTION,
        ErrorCode.BAD_REQUEST,
    }
)
"""Another adapter or proxy would meet them too."""


class DeviceReader:
    """Knows the ways to one device, and how the readings over each of them have gone."""

    def __init__(self, hass: HomeAssistant, address: str, name: str, wanted: RouteChoice) -> None:
        """Prepare to read a device."""
        self._hass = hass
        self._address = address
        self._name = name
        self._wanted = wanted
        self._isolated = IsolatedReader(hass)
        self._in_process = InProcessReader(hass)
        self._records: dict[str, ScannerRecord] = {}
        self._failed_source: str | None = None

    async def read(self, plan: ReadPlan, *, elsewhere: bool = False) -> tuple[Path, Reading]:
        """Take one reading; return it with the way it took. Raises ReaderError.

        `elsewhere`: not over the adapter or proxy that has just failed, where another one is there.
        """
        failed, self._failed_source = self._failed_source, None
        path, (taken, reading) = await self._by_best_route(
            lambda reader, path: reader.read(path, plan), failed if elsewhere else None
        )
        if elsewhere and failed not in (None, path.source):
            self._records[failed] = self._record(failed).blamed(time.monotonic())
        self._records.pop(taken.source, None)
        return taken, reading

    async def find(self, plan: FindPlan) -> list[Finding]:
        """Find units; nothing but reads is sent. Raises ReaderError."""
        _, found = await self._by_best_route(lambda reader, path: reader.find(path, plan))
        return found

    async def stop(self) -> None:
        """Wait until neither a process nor a link is left; a reading is cancelled by its own task."""
        await self._isolated.stop()
        await self._in_process.stop()

    @property
    def has_another_route(self) -> bool:
        """Whether the way that has just failed rests, and the next reading takes another one."""
        avoided, following = self._avoided(), self._following()
        return self._failed_source in avoided and following not in (None, *avoided)

    def _following(self) -> str | None:
        """Return the adapter or proxy that the next reading would take; None if there is none."""
        if self._address == VIRTUAL:
            return None
        heard = bluetooth.async_last_service_info(self._hass, self._address, connectable=True)
        if heard is None:
            return None
        ways = scanners_hearing(self._hass, self._address)
        try:
            way, _, _ = choose(ways, heard.source, self._wanted, avoid=self._avoided())
        except ReaderError:
            return None
        return way.source

    @property
    def why_no_process(self) -> str | None:
        """Why no reader process could be started where one is wanted; None: there is nothing against it."""
        return why_no_process(self._hass) if self._wanted is RouteChoice.AUTOMATIC else None

    @callback
    def try_process(self) -> None:
        """Start a reader process again with the next reading."""
        try_processes(self._hass)

    def report(self) -> list[dict[str, Any]]:
        """Return what is known of each way to the device, the strongest signal first."""
        if self._address == VIRTUAL:
            return []
        now = time.monotonic()
        return [
            way.as_dict()
            | {
                "failed_in_a_row": self._record(way.source).strikes,
                "avoided_for": max(0, round(self._record(way.source).cooldown_until - now)),
            }
            for way in scanners_hearing(self._hass, self._address)
        ]

    async def _by_best_route[T](
        self, job: Callable[[Reader, Path], Awaitable[T]], not_over: str | None = None
    ) -> tuple[Path, T]:
        """Have something done; begin once more where the way turned out to be none."""
        for again in (True, False):
            path = await self._path(not_over)
            try:
                return path, await job(self._reader(path), path)
            except ReaderError as err:
                if again and self._is_no_route(err):
                    continue
                self._note_failure(path, err)
                raise
        raise AssertionError("unreachable")

    async def _path(self, not_over: str | None) -> Path:
        if self._address == VIRTUAL:
            return virtual_route()
        await self.stop()  # a link of ours that is still being ended is nobody else's
        return await find_route(
            self._hass,
            self._address,
            self._name,
            self._wanted,
            avoid=self._avoided(not_over),
            processes=self.why_no_process is None,
        )

    def _reader(self, path: Path) -> Reader:
        if path.kind is RouteKind.IN_PROCESS:
            return self._in_process
        in_process = self._wanted is RouteChoice.IN_PROCESS or self.why_no_process is not None
        if path.kind is RouteKind.VIRTUAL and in_process:
            return self._in_process
        return self._isolated

    def _is_no_route(self, err: ReaderError) -> bool:
        """Whether nothing was tried over the air, and there may be another way."""
        if isinstance(err, NoRoute):
            return True  # taken by somebody else, or gone, while this reading waited for its turn
        if self._wanted is not RouteChoice.AUTOMATIC or not isinstance(err, ReaderCannotStart):
            return False
        if self.why_no_process is None:
            _LOGGER.warning("[path] no reader process can be started: %s", err.message)
        note_no_process(self._hass, err)
        return True

    def _note_failure(self, path: Path, err: ReaderError) -> None:
        if err.code in NOT_THE_ROUTES_FAULT or err.stage is Stage.START:
            return
        self._failed_source = path.source
        record = self._record(path.source)
        self._records[path.source] = record.after_failure(time.monotonic())
        if self._following() in self._avoided():
            self._records.clear()  # where all fail, none of them is to blame

    def _record(self, source: str) -> ScannerRecord:
        return self._records.get(source, ScannerRecord())

    def _avoided(self, not_over: str | None = None) -> Mapping[str, float]:
        """Return which adapters and proxies rest, and until when."""
        now = time.monotonic()
        on_cooldown = {
            source: record.cooldown_until
            for source, record in self._records.items()
            if record.on_cooldown(now)
        }
        return on_cooldown | ({not_over: math.inf} if not_over else {})
