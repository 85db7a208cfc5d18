"""Set-up by discovery, by picking, by an address, or of a virtual device; the other flows."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any, override

import probatio

from homeassistant.components.bluetooth import (
    BluetoothServiceInfoBleak,
    async_discovered_service_info,
)
from homeassistant.config_entries import ConfigFlowResult, ConfigSubentryFlow
from homeassistant.const import CONF_ADDRESS, CONF_MODEL
from homeassistant.core import callback
from homeassistant.helpers.selector import (
    SelectOptionDict,
    SelectSelector,
    SelectSelectorConfig,
    SelectSelectorMode,
    TextSelector,
)

from .bridge.setup import addresses_read_by_bridges
from .const import CONF_PROFILE, DOMAIN, SUBENTRY_UNIT
from .device_flow import READ, Then, choice, made_up_name, model_label, name_of, normalized
from .lib.blupow_ble.profiles import PROFILES
from .lib.blupow_ble.profiles.inverter import INVERTER
from .lib.blupow_ble.protocol.errors import ErrorCode
from .lib.blupow_ble.reader.messages import VIRTUAL
from .lib.blupow_ble.text import cleaned
from .migration import MINOR_VERSION, VERSION
from .options_flow import BluPowOptionsFlow
from .pending_device import PendingDevice, entry_data, names_no_model, pending_device_named
from .reconfigure_flow import ReconfigureSteps
from .texts import async_load_texts, text
from .unit_flow import UnitFlow

if TYPE_CHECKING:
    from .coordinator import BluPowConfigEntry


class BluPowConfigFlow(ReconfigureSteps, domain=DOMAIN):
    """Set up a device."""

    VERSION = VERSION
    MINOR_VERSION = MINOR_VERSION

    def __init__(self) -> None:
        """Initialize the flow."""
        super().__init__()
        self._pending: PendingDevice | None = None

    @staticmethod
    @callback
    @override
    def async_get_options_flow(config_entry: BluPowConfigEntry) -> BluPowOptionsFlow:
        """Return the options flow."""
        return BluPowOptionsFlow()

    @classmethod
    @callback
    @override
    def async_get_supported_subentry_types(
        cls, config_entry: BluPowConfigEntry
    ) -> dict[str, type[ConfigSubentryFlow]]:
        """Return the kinds of subentries. Home Assistant keeps the answer, so it must not change."""
        if config_entry.data.get(CONF_ADDRESS) in (None, VIRTUAL):
            return {}
        return {SUBENTRY_UNIT: UnitFlow}

    @override
    async def async_step_bluetooth(
        self, discovery_info: BluetoothServiceInfoBleak
    ) -> ConfigFlowResult:
        """Handle a device that Home Assistant's Bluetooth has found."""
        if (name := name_of(discovery_info)) is None:
            return self.async_abort(reason="not_supported")
        await self.async_set_unique_id(discovery_info.address)
        self._abort_if_unique_id_configured()
        if discovery_info.address in addresses_read_by_bridges(self.hass):
            return self.async_abort(reason="read_by_bridge")
        self._pending = pending_device_named(discovery_info.address, name)
        self.context["title_placeholders"] = {"name": name}
        return await self.async_step_bluetooth_confirm()

    async def async_step_bluetooth_confirm(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask whether to set the device up, and read it."""
        assert self._pending is not None
        if user_input is not None:
            return await self._try(self._pending, self.async_step_bluetooth_confirm)
        self._set_confirm_only()
        return self.async_show_form(
            step_id="bluetooth_confirm",
            errors=self._taken_errors(),
            description_placeholders=self._placeholders(
                self._pending.name, address=self._pending.address
            ),
        )

    @override
    async def async_step_user(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask how to set up."""
        return self.async_show_menu(
            step_id="user", menu_options=["pick", "address", "bridge", "virtual"]
        )

    async def async_step_pick(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Let the user pick one of the devices that are heard."""
        configured = self._async_current_ids(include_ignore=False)
        heard = {
            info.address: name
            for info in async_discovered_service_info(self.hass)
            if info.address not in configured and (name := name_of(info)) is not None
        }
        if not heard:
            return self.async_abort(reason="no_devices_found")
        if user_input is not None:
            address = user_input[CONF_ADDRESS]
            if address in heard:
                return await self._try_address(address, heard[address], self.async_step_pick)
            self._errors = {CONF_ADDRESS: "not_heard_any_more"}
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
        return self.async_show_form(
            step_id="pick",
            data_schema=schema,
            errors=self._taken_errors(),
            description_placeholders=self._placeholders(),
        )

    async def async_step_address(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Let the user type an address."""
        if user_input is not None:
            self._input = user_input
            if (address := normalized(user_input[CONF_ADDRESS])) is not None:
                name = next(
                    (
                        cleaned(info.name)
                        for info in async_discovered_service_info(self.hass)
                        if info.address == address and info.name != address
                    ),
                    made_up_name(address),
                )
                return await self._try_address(address, name, self.async_step_address)
            self._errors = {CONF_ADDRESS: "invalid_address"}
        schema = probatio.Schema({probatio.Required(CONF_ADDRESS): TextSelector()})
        return self.async_show_form(
            step_id="address",
            data_schema=self.add_suggested_values_to_schema(schema, self._input),
            errors=self._taken_errors(),
            description_placeholders=self._placeholders(),
        )

    async def async_step_virtual(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Set up a virtual device, which needs no hardware."""
        await async_load_texts(self.hass)
        if user_input is not None:
            self._input = user_input
            profile = PROFILES[user_input[CONF_PROFILE]]
            await self.async_set_unique_id(f"{VIRTUAL}_{profile.key}")
            self._abort_if_unique_id_configured()
            name = text(self.hass, "virtual_device", kind=profile.name)
            virtual = PendingDevice(address=VIRTUAL, name=name, profile=profile)
            return await self._try(virtual, self.async_step_virtual)
        return self.async_show_form(
            step_id="virtual",
            data_schema=self.add_suggested_values_to_schema(
                _profile_schema(), self._input or {CONF_PROFILE: INVERTER.key}
            ),
            errors=self._taken_errors(),
            description_placeholders=self._placeholders(),
        )

    async def async_step_family(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask for the family of a device that nothing tells it of, and read it as that one."""
        assert self._pending is not None
        if user_input is not None:
            self._input = user_input
            profile = PROFILES[user_input[CONF_PROFILE]]
            return await self._try(replace(self._pending, profile=profile), self.async_step_family)
        return self.async_show_form(
            step_id="family",
            data_schema=self.add_suggested_values_to_schema(_profile_schema(), self._input),
            errors=self._taken_errors(),
            description_placeholders=self._placeholders(self._pending.name),
        )

    async def async_step_model(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Ask for the model of a device that does not name it, and read it as that one."""
        assert self._pending is not None
        assert self._pending.profile is not None
        profile = self._pending.profile
        if user_input is not None:
            self._input = user_input
            model = profile.model(user_input[CONF_MODEL])
            return await self._try(replace(self._pending, model=model), self.async_step_model)
        await async_load_texts(self.hass)
        options = [
            SelectOptionDict(value=item.key, label=model_label(self.hass, item))
            for item in profile.models
        ]
        return self.async_show_form(
            step_id="model",
            data_schema=self.add_suggested_values_to_schema(
                choice(CONF_MODEL, options), self._input
            ),
            errors=self._taken_errors(),
            description_placeholders=self._placeholders(self._pending.name),
        )

    async def _try_address(
        self, address: str, name: str, form: Then[ConfigFlowResult]
    ) -> ConfigFlowResult:
        """Set up the device of an address, or show the form again."""
        await self.async_set_unique_id(address, raise_on_progress=False)
        self._abort_if_unique_id_configured()
        return await self._try(pending_device_named(address, name), form)

    async def _try(self, pending: PendingDevice, form: Then[ConfigFlowResult]) -> ConfigFlowResult:
        """Make an entry of a device that can be read, or show the form again."""

        async def done() -> ConfigFlowResult:
            if self._answer is None:
                if pending.profile is None and self._errors["base"] == ErrorCode.NO_RESPONSE:
                    # connected, but nothing is recognized: the user may know what it is
                    self._pending, self._input = pending, None
                    self._errors = {}
                    return await self.async_step_family()
                return await form()
            found, reading = self._answer
            if names_no_model(found, reading):
                self._pending, self._input = found, None
                return await self.async_step_model()
            return self.async_create_entry(title=found.name, data=entry_data(found, reading))

        return await self._wait_for(self._read(pending), done, pending.name, READ)


def _profile_schema() -> probatio.Schema:
    """Return the schema of a form that asks for the family."""
    options = [
        SelectOptionDict(value=profile.key, label=profile.name) for profile in PROFILES.values()
    ]
    return choice(CONF_PROFILE, options)
