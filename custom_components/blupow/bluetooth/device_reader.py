"""Reads one device by the best route there is, and by another one when that fails."""

from collections.abc import Awaitable, Callable, Mapping
import logging
import math
import time
from typing import Any, Final, Protocol

from homeassistant.components import bluetooth
from homeassistant.core import HomeAssistant, callback

from ..lib.blupow_ble import connection_log
from ..lib.blupow_ble.connection_log import Topic
from ..lib.blupow_ble.protocol.errors import ErrorCode, ReaderCannotStart, ReaderError, Stage
from ..lib.blupow_ble.reader.messages import VIRTUAL
from ..lib.blupow_ble.reader.plan import FindPlan, ReadPlan, WritePlan
from ..lib.blupow_ble.reader.result import Finding, Reading, WriteReport
from ..lib.blupow_ble.reader.route import NoRoute, Route, RouteKind, virtual_route
from ..lib.blupow_ble.supervisor.policies import ScannerRecord
from ..options import RouteChoice
from .in_process import InProcessReader
from .isolated import IsolatedReader
from .processes import note_no_process, try_processes, why_no_process
from .route import choose, find_route
from .scanners import scanners_hearing

NOT_THE_ROUTES_FAULT: Final = frozenset(
    {
        ErrorCode.NO_SLOT,
        ErrorCode.PAIRING_REQUIRED,
        ErrorCode.WRONG_UNIT,
        ErrorCode.MODBUS_EXCEPTION,
        ErrorCode.BAD_REQUEST,
    }
)
"""Another scanner would meet them too."""


class RouteReader(Protocol):
    """Takes readings over one kind of route."""

    async def read(self, route: Route, plan: ReadPlan) -> tuple[Route, Reading]:
        """Take one reading; return it with the route it really took. Raises ReaderError."""

    async def write(self, route: Route, plan: WritePlan) -> tuple[Route, WriteReport]:
        """Change settings; return what has become of them, with the route. Raises ReaderError."""

    async def find(self, route: Route, plan: FindPlan) -> list[Finding]:
        """Find units; nothing but reads is sent. Raises ReaderError."""

    async def stop(self) -> None:
        """Wait until neither a process nor a link is left."""


class DeviceReader:
    """Knows the routes to one device, and how the readings over each scanner have gone."""

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

    async def read(self, plan: ReadPlan, *, elsewhere: bool = False) -> tuple[Route, Reading]:
        """Take one reading; return it with its route. Raises ReaderError.

        `elsewhere`: not over the scanner that has just failed, where another one hears the device.
        """
        failed, self._failed_source = self._failed_source, None
        route, (taken, reading) = await self._by_best_route(
            lambda reader, route: reader.read(route, plan), failed if elsewhere else None
        )
        if elsewhere and failed not in (None, route.source):
            self._records[failed] = self._record(failed).blamed(time.monotonic())
        self._records.pop(taken.source, None)
        return taken, reading

    async def write(self, plan: WritePlan) -> WriteReport:
        """Change settings; return what has become of them. Raises ReaderError: see `Reader.write`."""
        _, (taken, report) = await self._by_best_route(
            lambda reader, route: reader.write(route, plan)
        )
        self._records.pop(taken.source, None)
        return report

    async def find(self, plan: FindPlan) -> list[Finding]:
        """Find units; nothing but reads is sent. Raises ReaderError."""
        _, found = await self._by_best_route(lambda reader, route: reader.find(route, plan))
        return found

    async def stop(self) -> None:
        """Wait until neither a process nor a link is left; a reading is cancelled by its own task."""
        await self._isolated.stop()
        await self._in_process.stop()

    def _following(self) -> str | None:
        """Return the scanner that the next reading would take; None if there is none."""
        if self._address == VIRTUAL:
            return None
        heard = bluetooth.async_last_service_info(self._hass, self._address, connectable=True)
        if heard is None:
            return None
        scanners = scanners_hearing(self._hass, self._address)
        try:
            scanner, _, _ = choose(
                scanners, heard.source, self._wanted, cooldowns=self._cooldowns()
            )
        except ReaderError:
            return None
        return scanner.source

    @property
    def why_no_process(self) -> str | None:
        """Why no reader process could be started where one is wanted; None: there is nothing against it."""
        return why_no_process(self._hass) if self._wanted is RouteChoice.AUTOMATIC else None

    @callback
    def try_process(self) -> None:
        """Start a reader process again with the next reading."""
        try_processes(self._hass)

    def report(self) -> list[dict[str, Any]]:
        """Return what is known of each scanner that hears the device, the strongest signal first."""
        if self._address == VIRTUAL:
            return []
        now = time.monotonic()
        return [
            scanner.as_dict()
            | {
                "failed_in_a_row": self._record(scanner.source).failures,
                "cooldown": max(0, round(self._record(scanner.source).cooldown_until - now)),
            }
            for scanner in scanners_hearing(self._hass, self._address)
        ]

    async def _by_best_route[T](
        self, job: Callable[[RouteReader, Route], Awaitable[T]], not_over: str | None = None
    ) -> tuple[Route, T]:
        """Have something done; begin once more where the route turned out to be none."""
        for again in (True, False):
            route = await self._route(not_over)
            try:
                return route, await job(self._reader(route), route)
            except ReaderError as err:
                if again and self._is_no_route(err):
                    continue
                self._note_failure(route, err)
                raise
        raise AssertionError("unreachable")

    async def _route(self, not_over: str | None) -> Route:
        if self._address == VIRTUAL:
            return virtual_route()
        await self.stop()  # a link of ours that is still being ended is nobody else's
        return await find_route(
            self._hass,
            self._address,
            self._name,
            self._wanted,
            cooldowns=self._cooldowns(not_over),
            processes=self.why_no_process is None,
        )

    def _reader(self, route: Route) -> RouteReader:
        if route.kind is RouteKind.IN_PROCESS:
            return self._in_process
        in_process = self._wanted is RouteChoice.IN_PROCESS or self.why_no_process is not None
        if route.kind is RouteKind.VIRTUAL and in_process:
            return self._in_process
        return self._isolated

    def _is_no_route(self, err: ReaderError) -> bool:
        """Whether nothing was tried over the air, and there may be another route."""
        if isinstance(err, NoRoute):
            return True  # the scanner is full, or gone, since this reading waits for its lock
        if self._wanted is not RouteChoice.AUTOMATIC or not isinstance(err, ReaderCannotStart):
            return False
        if self.why_no_process is None:
            connection_log.log(
                logging.WARNING, Topic.ROUTE, f"no reader process can be started: {err.message}"
            )
        note_no_process(self._hass, err)
        return True

    def _note_failure(self, route: Route, err: ReaderError) -> None:
        if err.code in NOT_THE_ROUTES_FAULT or err.stage is Stage.START:
            return
        self._failed_source = route.source
        record = self._record(route.source)
        self._records[route.source] = record.after_failure(time.monotonic())
        if self._following() in self._cooldowns():
            # where all fail, none of them is to blame
            self._records = {source: record.forgiven() for source, record in self._records.items()}

    def _record(self, source: str) -> ScannerRecord:
        return self._records.get(source, ScannerRecord())

    def _cooldowns(self, not_over: str | None = None) -> Mapping[str, float]:
        """Return which scanners are on cooldown, and until when."""
        now = time.monotonic()
        on_cooldown = {
            source: record.cooldown_until
            for source, record in self._records.items()
            if record.on_cooldown(now)
        }
        return on_cooldown | ({not_over: math.inf} if not_over else {})
