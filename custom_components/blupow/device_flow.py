"""What all flows of a device share: reading it while the user waits, and the words for what failed."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
import re
from typing import Any, Final

import probatio

from homeassistant.components.bluetooth import BluetoothServiceInfoBleak
from homeassistant.config_entries import ConfigFlow, ConfigFlowResult
from homeassistant.core import HomeAssistant
from homeassistant.helpers.selector import (
    SelectOptionDict,
    SelectSelector,
    SelectSelectorConfig,
    SelectSelectorMode,
)

from .lib.blupow_ble.profiles import may_be_renogy, may_be_renogy_by_manufacturer
from .lib.blupow_ble.profiles.profile import OTHER_MODEL, Model
from .lib.blupow_ble.protocol.errors import ReaderError
from .lib.blupow_ble.reader.result import UnitReading
from .lib.blupow_ble.text import cleaned, plain
from .pending_device import PendingDevice, identify, read_once
from .texts import text

READ: Final = "read_device"
"""What the form shows while a device is read."""

_ADDRESS: Final = re.compile(r"[0-9A-F]{2}(:[0-9A-F]{2}){5}")

type Then[ResultT] = Callable[[], Awaitable[ResultT]]


class WaitingSteps[ResultT]:
    """The steps of a flow that does something with a device, which may take minutes.

    A proxy in front of Home Assistant cuts a request after a minute: the user sees that it goes on.
    """

    hass: HomeAssistant
    async_show_progress: Callable[..., ResultT]
    async_show_progress_done: Callable[..., ResultT]

    _errors: dict[str, str]
    _detail = ""
    """What the last error says beyond its code."""
    _input: dict[str, Any] | None = None
    """What the user has entered in the form that failed."""
    _work_name = ""
    _action = ""
    _work: asyncio.Task[None] | None = None
    _then: Then[ResultT] | None = None

    def _placeholders(self, name: str = "", **others: str) -> dict[str, str]:
        """Return what the texts of forms and errors name; a device's own words are no Markdown."""
        return {"name": plain(name), **others, "detail": self._detail}

    def _taken_errors(self) -> dict[str, str]:
        """Return the errors of the last try, and forget them."""
        errors, self._errors = self._errors, {}
        return errors

    def _note(self, err: ReaderError) -> None:
        self._errors = {"base": err.code.value}
        self._detail = err.message

    async def _wait_for(
        self, work: Coroutine[Any, Any, None], then: Then[ResultT], name: str, action: str
    ) -> ResultT:
        """Do something that takes its time, then go on with a step."""
        self._work = self.hass.async_create_task(work, f"blupow {action}", eager_start=False)
        self._then, self._work_name, self._action = then, name, action
        return await self.async_step_progress()

    async def async_step_progress(self, user_input: dict[str, Any] | None = None) -> ResultT:
        """Show that it goes on."""
        assert self._work is not None
        if not self._work.done():
            return self.async_show_progress(
                step_id="progress",
                progress_action=self._action,
                progress_task=self._work,
                description_placeholders=self._placeholders(self._work_name),
            )
        return self.async_show_progress_done(next_step_id="progress_done")

    async def async_step_progress_done(self, user_input: dict[str, Any] | None = None) -> ResultT:
        """Go on with what came of it. A fault of BluPow shows here."""
        assert self._work is not None
        assert self._then is not None
        self._work.result()
        return await self._then()


class DeviceFlow(WaitingSteps[ConfigFlowResult], ConfigFlow):
    """A flow that reads a device."""

    def __init__(self) -> None:
        """Initialize the flow."""
        self._errors = {}
        self._answer: tuple[PendingDevice, UnitReading] | None = None
        """What the device was found to be, and its reading."""

    async def _read(self, pending: PendingDevice) -> None:
        """Find out what a device is and read it, or note why it cannot be read."""
        self._answer = None
        try:
            if pending.profile is None:
                pending = await identify(self.hass, pending)
            assert pending.profile is not None
            self._answer = pending, await read_once(self.hass, pending, pending.profile)
        except ReaderError as err:
            self._note(err)


def normalized(address: str) -> str | None:
    """Return a Bluetooth address in the usual form; None if it is none."""
    digits = (
        re.sub(r"[^0-9A-Fa-f]", "", address) if re.fullmatch(r"[\s0-9A-Fa-f:.-]+", address) else ""
    )
    joined = ":".join(digits[i : i + 2] for i in range(0, len(digits), 2)).upper()
    return joined if _ADDRESS.fullmatch(joined) else None


def made_up_name(address: str) -> str:
    """Return a name for a device that is heard without one."""
    return f"Renogy {address[-5:].replace(':', '')}"


def name_of(heard: BluetoothServiceInfoBleak) -> str | None:
    """Return what to call a device that may be one of Renogy's; None if it is another."""
    name = cleaned(heard.name)
    if may_be_renogy(name):
        return name
    if may_be_renogy_by_manufacturer(heard.address, heard.manufacturer_data):
        return name if name != heard.address else made_up_name(heard.address)
    return None


def choice(key: str, options: list[SelectOptionDict]) -> probatio.Schema:
    """Return the schema of a form that asks for one of several."""
    config = SelectSelectorConfig(
        options=options, translation_key=key, mode=SelectSelectorMode.DROPDOWN
    )
    return probatio.Schema({probatio.Required(key): SelectSelector(config)})


def model_label(hass: HomeAssistant, model: Model) -> str:
    """Return a model, for people."""
    if model.key == OTHER_MODEL:
        return text(hass, "another_model")
    return model.devices
