"""Set-up of a bridge: discovered or typed; its token again, and its address."""

from collections.abc import Mapping
from typing import Any, Final

import probatio

from homeassistant.config_entries import ConfigFlowResult
from homeassistant.const import (
    CONF_DEVICES,
    CONF_HOST,
    CONF_PORT,
    CONF_SSL,
    CONF_TOKEN,
    CONF_VERIFY_SSL,
)
from homeassistant.helpers.aiohttp_client import async_get_clientsession
from homeassistant.helpers.selector import (
    BooleanSelector,
    NumberSelector,
    NumberSelectorConfig,
    NumberSelectorMode,
    TextSelector,
    TextSelectorConfig,
    TextSelectorType,
)
from homeassistant.helpers.service_info.zeroconf import ZeroconfServiceInfo
from homeassistant.util.network import is_ip_address

from .bridge.client import (
    BridgeAddress,
    BridgeClient,
    BridgeError,
    CannotConnect,
    InvalidToken,
    NewerBridge,
)
from .device_flow import DeviceFlow
from .lib.blupow_ble.bridge_messages import API_VERSION, BridgeInfo, device_message
from .lib.blupow_ble.text import cleaned

DEFAULT_PORT: Final = 8126
_TOKEN: Final = TextSelector(TextSelectorConfig(type=TextSelectorType.PASSWORD))
TOKEN_SCHEMA: Final = probatio.Schema({probatio.Required(CONF_TOKEN): _TOKEN})
ADDRESS_SCHEMA: Final = probatio.Schema(
    {
        probatio.Required(CONF_HOST): TextSelector(),
        probatio.Required(CONF_PORT): NumberSelector(
            NumberSelectorConfig(min=1, max=65535, step=1, mode=NumberSelectorMode.BOX)
        ),
        probatio.Required(CONF_TOKEN): _TOKEN,
        probatio.Required(CONF_SSL): BooleanSelector(),
        probatio.Required(CONF_VERIFY_SSL): BooleanSelector(),
    }
)
DEFAULTS: Final = {CONF_PORT: DEFAULT_PORT, CONF_SSL: False, CONF_VERIFY_SSL: True}
ERRORS: Final[Mapping[type[BridgeError], str]] = {
    CannotConnect: "bridge_unreachable",
    InvalidToken: "invalid_token",
    NewerBridge: "bridge_newer",
}


class BridgeSteps(DeviceFlow):
    """The steps of a bridge."""

    def __init__(self) -> None:
        """Initialize the flow."""
        super().__init__()
        self._found: dict[str, Any] = {}
        """Where a bridge was discovered."""
        self._bridge: BridgeInfo | None = None
        """The bridge that has answered."""
        self._devices: list[dict[str, Any]] = []

    async def async_step_zeroconf(self, discovery_info: ZeroconfServiceInfo) -> ConfigFlowResult:
        """Handle a bridge that announces itself in the network."""
        said = discovery_info.properties
        bridge_id, api = said.get("id"), str(said.get("api", ""))
        if not bridge_id or not api.isdecimal() or int(api) > API_VERSION:
            return self.async_abort(reason="bridge_newer" if bridge_id else "not_supported")
        where = {CONF_HOST: discovery_info.host, CONF_PORT: discovery_info.port}
        known = await self.async_set_unique_id(bridge_id)
        # a name that somebody typed, or a certificate for it, is worth more than an address
        follows = known is None or (
            is_ip_address(known.data.get(CONF_HOST, "")) and not known.data.get(CONF_SSL)
        )
        self._abort_if_unique_id_configured(updates=where if follows else None)
        self._found = {
            **where,
            CONF_SSL: said.get("tls") == "1",
            CONF_VERIFY_SSL: said.get("tls") == "1",
        }
        name = cleaned(str(said.get("name") or discovery_info.host))
        self.context["title_placeholders"] = {"name": name}
        return await self.async_step_bridge_token()

    async def async_step_bridge_token(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask for the token of a bridge that was discovered."""
        verify = {probatio.Required(CONF_VERIFY_SSL, default=True): BooleanSelector()}
        schema = TOKEN_SCHEMA.extend(verify) if self._found[CONF_SSL] else TOKEN_SCHEMA
        if user_input is not None and await self._reached(self._found | user_input):
            return self._created(self._found | user_input)
        return self.async_show_form(
            step_id="bridge_token",
            data_schema=self.add_suggested_values_to_schema(schema, user_input),
            errors=self._taken_errors(),
            description_placeholders=self._placeholders(
                self.context["title_placeholders"]["name"], host=self._found[CONF_HOST]
            ),
        )

    async def async_step_bridge(self, user_input: dict[str, Any] | None = None) -> ConfigFlowResult:
        """Let the user type where a bridge is."""
        if user_input is not None and await self._reached(user_input):
            assert self._bridge is not None
            await self.async_set_unique_id(self._bridge.id, raise_on_progress=False)
            self._abort_if_unique_id_configured(updates=_where(user_input))
            return self._created(user_input)
        return self.async_show_form(
            step_id="bridge",
            data_schema=self.add_suggested_values_to_schema(ADDRESS_SCHEMA, user_input or DEFAULTS),
            errors=self._taken_errors(),
            description_placeholders=self._placeholders(),
        )

    async def async_step_reauth(self, entry_data: Mapping[str, Any]) -> ConfigFlowResult:
        """Handle a token that is no longer good."""
        return await self.async_step_reauth_confirm()

    async def async_step_reauth_confirm(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Ask for the token that is good now."""
        entry = self._get_reauth_entry()
        if user_input is not None and await self._reached({**entry.data, **user_input}):
            if self._is_same(entry.unique_id):
                return self.async_update_reload_and_abort(entry, data_updates=user_input)
            return self.async_abort(reason="another_bridge")
        return self.async_show_form(
            step_id="reauth_confirm",
            data_schema=TOKEN_SCHEMA,
            errors=self._taken_errors(),
            description_placeholders=self._placeholders(entry.title),
        )

    async def async_step_bridge_address(
        self, user_input: dict[str, Any] | None = None
    ) -> ConfigFlowResult:
        """Let the user change where a bridge is."""
        entry = self._get_reconfigure_entry()
        if user_input is not None and await self._reached(user_input):
            if self._is_same(entry.unique_id):
                data = {**entry.data, **_where(user_input)}
                return self.async_update_reload_and_abort(entry, data=data)
            return self.async_abort(reason="another_bridge")
        return self.async_show_form(
            step_id="bridge_address",
            data_schema=self.add_suggested_values_to_schema(
                ADDRESS_SCHEMA, user_input or entry.data
            ),
            errors=self._taken_errors(),
            description_placeholders=self._placeholders(entry.title),
        )

    def _is_same(self, bridge_id: str | None) -> bool:
        return self._bridge is not None and self._bridge.id == bridge_id

    async def _reached(self, data: Mapping[str, Any]) -> bool:
        """Whether the bridge answers; if not, the error is noted for the form."""
        address = BridgeAddress(
            host=str(data[CONF_HOST]).strip(),
            port=int(data[CONF_PORT]),
            tls=data[CONF_SSL],
            verify=data[CONF_VERIFY_SSL],
            token=str(data[CONF_TOKEN]).strip(),
        )
        try:
            client = BridgeClient(async_get_clientsession(self.hass), address)
            self._bridge = await client.info()
            self._devices = [device_message(report.device) for report in await client.devices()]
        except ValueError:
            self._errors = {CONF_HOST: "invalid_host"}
            return False
        except BridgeError as err:
            self._errors, self._detail = {"base": ERRORS[type(err)]}, str(err)
            return False
        return True

    def _created(self, data: Mapping[str, Any]) -> ConfigFlowResult:
        """Make the entry of the bridge that has answered."""
        assert self._bridge is not None
        return self.async_create_entry(
            title=cleaned(self._bridge.name) or "BluPow bridge",
            data={**_where(data), CONF_DEVICES: self._devices},
        )


def _where(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return what an entry stores of where a bridge is."""
    return {
        CONF_HOST: str(data[CONF_HOST]).strip(),
        CONF_PORT: int(data[CONF_PORT]),
        CONF_SSL: data[CONF_SSL],
        CONF_VERIFY_SSL: data[CONF_VERIFY_SSL],
        CONF_TOKEN: str(data[CONF_TOKEN]).strip(),
    }
