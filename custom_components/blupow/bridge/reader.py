"""Reads a device by asking its bridge."""

from typing import Final

from ..lib.blupow_ble.bridge_messages import DeviceDescription, RemoteReading
from ..lib.blupow_ble.protocol.errors import ErrorCode, ReaderError, Stage
from ..lib.blupow_ble.reader import answers
from ..lib.blupow_ble.reader.messages import MALFORMED, Device
from ..lib.blupow_ble.reader.plan import FindPlan, ReadPlan, WritePlan
from ..lib.blupow_ble.reader.result import Finding, Reading, WriteReport
from ..lib.blupow_ble.reader.route import Route, RouteKind
from .client import BridgeClient, BridgeError, CannotConnect

LATE_INTERVALS: Final = 2
"""A reading is new enough for so many update intervals of the device."""


class BridgeReader:
    """Asks a bridge for the last reading of a device, and has it change settings."""

    def __init__(
        self,
        client: BridgeClient,
        device: DeviceDescription,
        bridge_name: str,
    ) -> None:
        """Prepare to ask."""
        self._client = client
        self._device = device
        self._bridge_name = bridge_name
        self.last_id: str | None = None
        """Of the last reading that was taken."""
        self.polled = False
        """The last reading was asked for, not pushed."""

    def route(self, source: str | None = None) -> Route:
        """Return the route of a reading that the bridge has taken over an adapter of its own."""
        over = f" over {source}" if source else ""
        return Route(
            kind=RouteKind.BRIDGE,
            reason=f"read by {self._bridge_name}{over}",
            device=Device(address=self._device.address, name=self._device.name),
            source=self._bridge_name,
        )

    async def read(self, plan: ReadPlan, *, elsewhere: bool = False) -> tuple[Route, Reading]:
        """Return the last reading, or registers that the bridge reads now. Raises ReaderError."""
        if plan.spans:
            return self.route(), await self._read_registers(plan)
        try:
            report = await self._client.device(self._device.id)
        except BridgeError as err:
            raise unreachable(err) from err
        reading, failure = report.reading, report.failure
        if failure is not None and (reading is None or failure.age <= reading.reading.age):
            raise failure.error
        if reading is None or reading.reading.age > LATE_INTERVALS * self._device.update_interval:
            text = "the bridge has no reading that is new enough"
            raise ReaderError(ErrorCode.READER_TIMEOUT, text, stage=Stage.START)
        self.polled = self.polled or reading.id != self.last_id
        return self.taken(reading), reading.reading

    def taken(self, reading: RemoteReading) -> Route:
        """Note that a reading is taken, and return the route that it came by."""
        self.last_id = reading.id
        return self.route(reading.source)

    async def _read_registers(self, plan: ReadPlan) -> Reading:
        key = plan.units[0].key
        body = {
            "unit": key,
            "spans": [{"start": span.start, "count": span.words} for span in plan.spans],
        }
        try:
            answer = await self._client.have_done(self._device.id, "registers", body)
            timings = {"connect": 0.0, "read": 0.0}
            return answers.parse_result(
                {
                    "units": {key: answer["unit"]},
                    "unresponsive": {},
                    "found": [],
                    "timings": timings,
                    "attempts": 1,
                }
            )
        except BridgeError as err:
            raise unreachable(err) from err
        except MALFORMED as err:
            raise _not_understood(err) from err

    async def write(self, plan: WritePlan) -> WriteReport:
        """Have settings changed; return what has become of them. Raises ReaderError."""
        body = {
            "unit": plan.unit.key,
            "changes": {change.key: change.value for change in plan.changes},
        }
        try:
            answer = await self._client.have_done(self._device.id, "settings", body)
            report, _ = answers.parse_written({**answer, "virtual_registers": {}})
        except CannotConnect as err:
            if err.sent:  # nobody knows what the bridge has done
                raise ReaderError(ErrorCode.READER_TIMEOUT, str(err), stage=Stage.WRITE) from err
            raise unreachable(err) from err
        except BridgeError as err:
            raise unreachable(err) from err
        except MALFORMED as err:
            raise _not_understood(err) from err
        return report

    async def find(self, plan: FindPlan) -> list[Finding]:
        """Have units found; nothing but reads is sent. Raises ReaderError."""
        body = {"unit_ids": list(plan.unit_ids)}
        try:
            return answers.parse_found(
                await self._client.have_done(self._device.id, "find_units", body)
            )
        except BridgeError as err:
            raise unreachable(err) from err
        except MALFORMED as err:
            raise _not_understood(err) from err

    async def stop(self) -> None:
        """Do nothing: the bridge has the link."""


def unreachable(err: BridgeError) -> ReaderError:
    """Return the error of a bridge that does not answer."""
    return ReaderError(ErrorCode.BRIDGE_UNREACHABLE, str(err), stage=Stage.START)


def _not_understood(err: BaseException) -> ReaderError:
    text = f"the answer of the bridge is not understood: {err!r}"
    return ReaderError(ErrorCode.BAD_REPLY, text, stage=Stage.START)
