"""The private methods of others that BluPow overrides or calls: this tells when one goes or changes."""

import inspect
from typing import Any

from habluetooth.wrappers import HaBleakClientWrapper
import pytest

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
        (
            DataUpdateCoordinator,
            "_async_refresh",
            [
                "self",
                "log_failures",
                "raise_on_auth_failed",
                "scheduled",
                "raise_on_entry_error",
            ],
        ),
        (DataUpdateCoordinator, "_async_refresh_finished", ["self"]),
        (DataUpdateCoordinator, "_schedule_refresh", ["self"]),
    ],
)
def test_method_is_there(owner: type[Any], name: str, parameters: list[str] | None) -> None:
    """With the parameters that BluPow relies on; CONTRIBUTING lists each."""
    method = getattr(owner, name)
    assert callable(method)
    if parameters is not None:
        assert list(inspect.signature(method).parameters) == parameters
