"""The private methods of others that BluPow overrides or calls: this tells when one goes or changes."""

import inspect
from typing import Any

from habluetooth.wrappers import HaBleakClientWrapper
import pytest

from custom_components.blupow.coordinator import BluPowCoordinator
from homeassistant.helpers.update_coordinator import DataUpdateCoordinator


@pytest.mark.parametrize(
    ("owner", "name", "parameters"),
    [
        (
            HaBleakClientWrapper,
            "_async_get_best_available_backend_and_device",
            ["self", "manager"],
        ),
        (HaBleakClientWrapper, "_async_get_backend_for_ble_device", None),
    ],
)
def test_method_is_there(owner: type[Any], name: str, parameters: list[str] | None) -> None:
    """With the parameters that BluPow relies on; CONTRIBUTING lists each."""
    method = getattr(owner, name)
    assert callable(method)
    if parameters is not None:
        assert list(inspect.signature(method).parameters) == parameters


def test_coordinator_overrides_what_home_assistant_means_it_to() -> None:
    """Of the base class nothing private is replaced but the hook for an update."""
    own = {name for name in vars(BluPowCoordinator) if name.startswith("_")}
    private = {name for name in vars(DataUpdateCoordinator) if name.startswith("_")}
    generic = {"_abc_impl", "_is_protocol"}
    replaced = {name for name in own & private if not name.startswith("__")}
    assert replaced - generic == {"_async_update_data"}
