"""Set-up by discovery, by picking, by an address, or of a virtual inverter; reconfigure."""

from dataclasses import dataclass, field, replace
import re
from typing import Any, Final, override

import probatio

from homeassistant.components.bluetooth import (
    BluetoothServiceInfoBleak,
    async_discovered_service_info,
)
from homeassistant.config_entries import ConfigEntry, ConfigFlow, ConfigFlowResult
from homeassistant.const import CONF_ADDRESS, CONF_MODEL, CONF_NAME
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers.selector import (
    SelectOptionDict,
    SelectSelector,
    SelectSelectorConfig,
    SelectSelectorMode,
    TextSelector,
)

from .const import CONF_PROFILE, CONF_UNIT, DOMAIN
from .lib.blupow_ble.errors import ReaderError
from .lib.blupow_ble.messages import VIRTUAL
from .lib.blupow_ble.profiles import profile_for_name
from .lib.blupow_ble.profiles.declaration import Model, Profile
from .lib.blupow_ble.profiles.inverter import INVERTER
from .lib.blupow_ble.resilience import connect_timeout
from .lib.blupow_ble.result import Reading
from .options_flow import BluPowOptionsFlow
from .readers import PathKind, ReadPlan
from .readers.in_process import InProcessReader
from .readers.isolated import IsolatedReader
from .readers.path import find_path, virtual_path
from .settings import Settings

MODULE_PREFIX: Final = "BT-TH-"
"""A BT-1 or BT-2 module: its name does not tell what is behind it."""
VIRTUAL_NAME: Final = "Virtual inverter (test mode)"
AUTOMATIC: Final = "automatic"

_ADDRESS: Final = re.compile(r"[0-9A-F]{2}(:[0-9A-F]{2}){5}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A device that is about to be set up."""

    address: str
    name: str
    profile: Profile
    model: Model | None = None
    settings: Settings = field(default_factory=Settings)


async def read_once(hass: HomeAssistant, candidate: Candidate) -> Reading:
    """Read a device with all its blocks, as a test. Raises ReaderError."""
    settings = candidate.settings
    if candidate.address == VIRTUAL:
        path = virtual_path()
    else:
        path = await find_path(hass, candidate.address, candidate.name, settings.path)
    plan = ReadPlan(
        profile=candidate.profile,
        model=candidate.model,
        unit=settings.unit,
        blocks=tuple(block.key for block in candidate.profile.register_map(candidate.model).blocks),
        connect_timeout=connect_timeout(0, settings.connect_timeout),
    )
    reader = InProcessReader(hass) if path.kind is PathKind.IN_PROCESS else IsolatedReader(hass)
    return await reader.read(path, plan)


def normalised(address: str) -> str | None:
    """Return a Bluetooth address in the usual form; None if it is none."""
    plain = (
        re.sub(r"[^0-9A-Fa-f]", "", address) if re.fullmatch(r"[\s0-9A-Fa-f:.-]+", address) else ""
    )
    joined = ":".join(plain[i : i + 2] for i in range(0, len(plain), 2)).upper()
    return joined if _ADDRESS.fullmatch(joined) else None


def may_be_renogy(name: str) -> bool:
    """Whether an advertised name can be a Renogy device of a family that is known."""
    return profile_for_name(name) is not None or name.upper().startswith(MODULE_PREFIX)


class BluPowConfigFlow(ConfigFlow, domain=DOMAIN):
    """Set up a device."""

    VERSION = 1
    MINOR_VERSION = 1

    def __init__(self) -> None:
        """Initialize the flow."""
        self._candidate: Candidate | None = None

    @staticmethod
    @callback
    @override
    def async_get_options_flow(config_entry: ConfigEntry) -> BluPowOptionsFlow:
        """Return the options flow."""
        return BluPowOptionsFlow()

    @override
    async def async_step_bluetooth(
        self, discovery_info: BluetoothServiceInfoBleak
    ) -> ConfigFlowResult:
        """Handle a device that Home Assistant's Bluetooth has found."""
        profile = profile_for_name(discovery_info.name)
        if profile is None:
            return self.async_abort(reason="not_supported")
        await self.async_set_unique_id(discovery_info.address)
        self._abort_if_unique_id_configured()
        name = discovery_info.name.strip()
        self._candidate = Candidate(address=discovery_info.address, name=name, profile=profile)
        self.context["title_placeholders"] = {"name": name}
        return await self.async_step_bluetooth_confirm()

    async def async_step_bluetooth_confirm(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask whether to set the device up, and read it."""
        assert self._candidate is not None
        errors: dict[str, str] = {}
        if user_input is not None:
            result = await self._try(self._candidate, errors)
            if result is not None:
                return result
        return self.async_show_form(
            step_id="bluetooth_confirm",
            errors=errors,
            description_placeholders={
                "name": self._candidate.name,
                "address": self._candidate.address,
            },
        )

    @override
    async def async_step_user(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask how to set up."""
        return self.async_show_menu(step_id="user", menu_options=["pick", "address", "virtual"])

    async def async_step_pick(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Let the user pick one of the devices that are heard."""
        errors: dict[str, str] = {}
        configured = self._async_current_ids(include_ignore=False)
        heard = {
            info.address: info.name.strip()
            for info in async_discovered_service_info(self.hass)
            if info.address not in configured and may_be_renogy(info.name.strip())
        }
        if not heard:
            return self.async_abort(reason="no_devices_found")
        if user_input is not None:
            address = user_input[CONF_ADDRESS]
            if address not in heard:
                errors[CONF_ADDRESS] = "not_heard_any_more"
            elif result := await self._try_address(address, heard[address], errors):
                return result
        options = [
            SelectOptionDict(value=address, label=f"{name} ({address})")
            for address, name in heard.items()
        ]
        schema = probatio.Schema(
            {
                probatio.Required(CONF_ADDRESS): SelectSelector(
                    SelectSelectorConfig(options=options, mode=SelectSelectorMode.LIST)
                )
            }
        )
        return self.async_show_form(step_id="pick", data_schema=schema, errors=errors)

    async def async_step_address(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Let the user type an address."""
        errors: dict[str, str] = {}
        if user_input is not None:
            address = normalised(user_input[CONF_ADDRESS])
            if address is None:
                errors[CONF_ADDRESS] = "invalid_address"
            else:
                name = next(
                    (
                        info.name.strip()
                        for info in async_discovered_service_info(self.hass)
                        if info.address == address and info.name != address
                    ),
                    f"Renogy {address[-5:].replace(':', '')}",
                )
                if result := await self._try_address(address, name, errors):
                    return result
        schema = probatio.Schema({probatio.Required(CONF_ADDRESS): TextSelector()})
        return self.async_show_form(
            step_id="address",
            data_schema=self.add_suggested_values_to_schema(schema, user_input),
            errors=errors,
        )

    async def async_step_virtual(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Set up a virtual inverter, which needs no hardware."""
        errors: dict[str, str] = {}
        await self.async_set_unique_id(VIRTUAL)
        self._abort_if_unique_id_configured()
        if user_input is not None:
            virtual = Candidate(address=VIRTUAL, name=VIRTUAL_NAME, profile=INVERTER)
            if result := await self._try(virtual, errors):
                return result
        return self.async_show_form(step_id="virtual", errors=errors)

    async def async_step_model(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask for the model of a device that does not name it, and read it as that one."""
        assert self._candidate is not None
        errors: dict[str, str] = {}
        models = self._candidate.profile.models
        if user_input is not None:
            model = self._candidate.profile.model(user_input[CONF_MODEL])
            if result := await self._try(replace(self._candidate, model=model), errors):
                return result
        schema = _model_schema([model.key for model in models])
        return self.async_show_form(
            step_id="model",
            data_schema=self.add_suggested_values_to_schema(schema, user_input),
            errors=errors,
            description_placeholders={"name": self._candidate.name},
        )

    async def async_step_reconfigure(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Let the user overrule the model, and read the device as that model."""
        errors: dict[str, str] = {}
        entry = self._get_reconfigure_entry()
        known = profile_for_name(entry.data[CONF_NAME]) or INVERTER
        if user_input is not None:
            wanted = user_input[CONF_MODEL]
            candidate = Candidate(
                address=entry.data[CONF_ADDRESS],
                name=entry.data[CONF_NAME],
                profile=known,
                model=None if wanted == AUTOMATIC else known.model(wanted),
                settings=Settings.from_options(entry.options),
            )
            if (reading := await self._read(candidate, errors)) is not None:
                if names_no_model(candidate, reading):
                    errors[CONF_MODEL] = "model_not_told"
                else:
                    return self.async_update_reload_and_abort(entry, data=_data(candidate, reading))
        schema = _model_schema([AUTOMATIC, *(model.key for model in known.models)])
        current = {CONF_MODEL: entry.data.get(CONF_MODEL) or AUTOMATIC}
        return self.async_show_form(
            step_id="reconfigure",
            data_schema=self.add_suggested_values_to_schema(schema, user_input or current),
            errors=errors,
            description_placeholders={"name": entry.title},
        )

    async def _try_address(
        self, address: str, name: str, errors: dict[str, str]
    ) -> ConfigFlowResult | None:
        """Set up the device of an address, or note why not."""
        await self.async_set_unique_id(address, raise_on_progress=False)
        self._abort_if_unique_id_configured()
        profile = profile_for_name(name) or INVERTER
        return await self._try(Candidate(address=address, name=name, profile=profile), errors)

    async def _try(self, candidate: Candidate, errors: dict[str, str]) -> ConfigFlowResult | None:
        """Make an entry of a device that can be read, or note why it cannot."""
        reading = await self._read(candidate, errors)
        if reading is None:
            return None
        if names_no_model(candidate, reading):
            self._candidate = candidate
            return await self.async_step_model()
        return self.async_create_entry(title=candidate.name, data=_data(candidate, reading))

    async def _read(self, candidate: Candidate, errors: dict[str, str]) -> Reading | None:
        """Read a device, or note why it cannot be read."""
        try:
            return await read_once(self.hass, candidate)
        except ReaderError as err:
            errors["base"] = err.code.value
            return None


def names_no_model(candidate: Candidate, reading: Reading) -> bool:
    """Whether nobody knows the model: registers must not be taken for another model's."""
    told = candidate.profile.model_field.key in reading.values
    return candidate.model is None and not told


def _model_schema(models: list[str]) -> probatio.Schema:
    """Return the schema of a form that asks for the model."""
    selector = SelectSelector(
        SelectSelectorConfig(
            options=models, translation_key=CONF_MODEL, mode=SelectSelectorMode.DROPDOWN
        )
    )
    return probatio.Schema({probatio.Required(CONF_MODEL): selector})


def _data(candidate: Candidate, reading: Reading) -> dict[str, Any]:
    """Return the data of an entry: what it takes to find and understand the device."""
    return {
        CONF_ADDRESS: candidate.address,
        CONF_NAME: candidate.name,
        CONF_PROFILE: candidate.profile.key,
        CONF_MODEL: reading.model,
        CONF_UNIT: reading.unit,
    }
