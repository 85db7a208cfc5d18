"""Reconfigure: say what a device is, replace its Bluetooth module."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import probatio

from homeassistant.config_entries import ConfigFlowResult
from homeassistant.const import CONF_ADDRESS, CONF_HOST, CONF_MODEL
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import entity_registry as er
from homeassistant.helpers.selector import SelectOptionDict, TextSelector

from .bridge_flow import BridgeSteps
from .button import RECONNECT
from .const import CONF_PROFILE, CONF_SERIAL_NUMBER, CONF_UNIT_ID
from .device_flow import READ, choice, model_label, normalized
from .event import CONNECTION
from .lib.blupow_ble.profiles import PROFILES
from .lib.blupow_ble.reader.messages import VIRTUAL
from .link_sensors import LINK_SENSORS
from .new_address import async_move_entry
from .pending_device import entry_data, names_no_model, pending_device_as
from .texts import async_load_texts, text
from .units import unit_subentries

if TYPE_CHECKING:
    from .coordinator import BluPowConfigEntry

AUTOMATIC: Final = "automatic"


class ReconfigureSteps(BridgeSteps):
    """The steps of Reconfigure."""

    async def async_step_reconfigure(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Let the user say what the device is, or replace its module."""
        entry = self._get_reconfigure_entry()
        if CONF_HOST in entry.data:
            return await self.async_step_bridge_address()
        if CONF_PROFILE not in entry.data:
            return self.async_abort(reason="earlier_release")
        if entry.data[CONF_ADDRESS] == VIRTUAL:
            return await self.async_step_kind()
        return self.async_show_menu(
            step_id="reconfigure",
            menu_options=["kind", "new_address"],
            description_placeholders=self._placeholders(entry.title),
        )

    async def async_step_kind(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Let the user overrule the family and the model, and read the device as that."""
        await async_load_texts(self.hass)
        entry = self._get_reconfigure_entry()
        kinds = {
            f"{profile.key}:{model.key}": (profile, model)
            for profile in PROFILES.values()
            for model in profile.models
        }
        if user_input is not None:
            self._input = user_input
            wanted = kinds.get(user_input[CONF_MODEL])
            return await self._wait_for(
                self._read(pending_device_as(entry, wanted)), self._kind_read, entry.title, READ
            )
        options = [
            SelectOptionDict(value=AUTOMATIC, label=text(self.hass, "automatic")),
            *(
                SelectOptionDict(
                    value=key, label=f"{profile.name}: {model_label(self.hass, model)}"
                )
                for key, (profile, model) in kinds.items()
            ),
        ]
        current = f"{entry.data[CONF_PROFILE]}:{entry.data.get(CONF_MODEL)}"
        return self.async_show_form(
            step_id="kind",
            data_schema=self.add_suggested_values_to_schema(
                choice(CONF_MODEL, options),
                self._input or {CONF_MODEL: current if current in kinds else AUTOMATIC},
            ),
            errors=self._taken_errors(),
            description_placeholders=self._placeholders(entry.title),
        )

    async def _kind_read(self) -> ConfigFlowResult:
        """Take over what the device was read as."""
        entry = self._get_reconfigure_entry()
        if self._answer is None:
            return await self.async_step_kind()
        pending, reading = self._answer
        if names_no_model(pending, reading):
            self._errors = {CONF_MODEL: "model_not_told"}
            return await self.async_step_kind()
        data = entry.data | entry_data(pending, reading)
        data.pop(CONF_SERIAL_NUMBER, None)  # it may be another piece by now
        if data[CONF_PROFILE] != entry.data[CONF_PROFILE]:
            forget_readings(self.hass, entry)
        return self.async_update_reload_and_abort(entry, data=data)

    async def async_step_new_address(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Take the address of a new module in place of the old one; entities and history stay."""
        entry = self._get_reconfigure_entry()
        if user_input is not None:
            self._input = user_input
            address = normalized(user_input[CONF_ADDRESS])
            if address is None:
                self._errors = {CONF_ADDRESS: "invalid_address"}
            elif address == entry.unique_id:
                self._errors = {CONF_ADDRESS: "same_address"}
            elif address in self._async_current_ids(include_ignore=False):
                self._errors = {CONF_ADDRESS: "address_in_use"}
            else:
                kind = PROFILES[entry.data[CONF_PROFILE]]
                model_key = entry.data.get(CONF_MODEL)
                model = kind.model(model_key) if model_key else None
                pending = replace(pending_device_as(entry, None), address=address, profile=kind)
                return await self._wait_for(
                    self._read(replace(pending, model=model, unit_id=entry.data.get(CONF_UNIT_ID))),
                    self._address_read,
                    entry.title,
                    READ,
                )
        schema = probatio.Schema({probatio.Required(CONF_ADDRESS): TextSelector()})
        return self.async_show_form(
            step_id="new_address",
            data_schema=self.add_suggested_values_to_schema(schema, self._input),
            errors=self._taken_errors(),
            description_placeholders=self._placeholders(entry.title),
        )

    async def _address_read(self) -> ConfigFlowResult:
        """Move the entry to the address under which the device was read."""
        if self._answer is None:
            return await self.async_step_new_address()
        entry = self._get_reconfigure_entry()
        pending, _ = self._answer
        await async_move_entry(self.hass, entry, pending.address)
        return self.async_update_reload_and_abort(
            entry,
            unique_id=pending.address,
            data={**entry.data, CONF_ADDRESS: pending.address},
        )


@callback
def forget_readings(hass: HomeAssistant, entry: BluPowConfigEntry) -> None:
    """Remove the entities of what the device turned out not to be; its link's entities stay."""
    registry = er.async_get(hass)
    base = entry.unique_id or entry.entry_id
    own = {f"{base}_{description.key}" for description in (*LINK_SENSORS, RECONNECT, CONNECTION)}
    others = tuple(f"{base}_{subentry.unique_id}_" for subentry in unit_subentries(entry))
    for item in er.async_entries_for_config_entry(registry, entry.entry_id):
        if item.unique_id not in own and not item.unique_id.startswith(others):
            registry.async_remove(item.entity_id)
