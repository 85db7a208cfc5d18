"""Reads one device of a bridge by a child process, and helps a device that cannot be read."""

from blupow_ble.reader.child_reader import ChildReader
from blupow_ble.reader.messages import VIRTUAL
from blupow_ble.reader.plan import FindPlan, ReadPlan, WritePlan
from blupow_ble.reader.result import Finding, Reading, WriteReport
from blupow_ble.reader.route import Route, virtual_route
from blupow_ble.supervisor.policies import RecoveryStep

from .radio import Radio


class DeviceReader:
    """Reads one device."""

    def __init__(self, radio: Radio, address: str, name: str) -> None:
        """Prepare to read a device."""
        self._radio = radio
        self._address = address
        self._name = name
        self._child = ChildReader(radio.acquire)

    async def read(self, plan: ReadPlan, *, elsewhere: bool = False) -> tuple[Route, Reading]:
        """Take one reading; return it with its route. Raises ReaderError."""
        return await self._child.read(await self._route(), plan)

    async def write(self, plan: WritePlan) -> WriteReport:
        """Change settings; return what has become of them. Raises ReaderError: see `Reader.write`."""
        _, report = await self._child.write(await self._route(), plan)
        return report

    async def find(self, plan: FindPlan) -> list[Finding]:
        """Find units; nothing but reads is sent. Raises ReaderError."""
        return await self._child.find(await self._route(), plan)

    async def stop(self) -> None:
        """Wait until neither a process nor a link is left; a reading is cancelled by its own task."""
        await self._child.stop()

    async def _route(self) -> Route:
        if self._address == VIRTUAL:
            return virtual_route()
        await self.stop()  # a link of ours that is still being ended is nobody else's
        return await self._radio.route(self._address, self._name)


class RadioRemedies:
    """What the steps of a recovery do for one device."""

    def __init__(self, radio: Radio, address: str) -> None:
        """Work for a device."""
        self._radio = radio
        self._address = address

    async def prepare(self, step: RecoveryStep) -> None:
        """Do what a step does before a reading is tried. Raises ReaderError(held_by_other)."""
        match step:
            case RecoveryStep.CLOSE_LINK:
                await self._radio.close_links(self._address)
            case RecoveryStep.LOOK_AGAIN:
                await self._radio.look_again(self._address)
            case RecoveryStep.REDISCOVER:
                await self._radio.rediscover(self._address)

    async def wait_connectable(self) -> None:
        """Wait until the device can be connected to, at most for a while."""
        await self._radio.wait_connectable(self._address)
