"""Fixtures of all tests."""

import socket

import pytest
import pytest_socket

# Before Home Assistant's test package looks for custom integrations, so that it finds this one.
import custom_components.blupow  # noqa: F401


@pytest.fixture(autouse=True)
def _custom_integrations(request: pytest.FixtureRequest) -> None:
    """Let Home Assistant load this integration, where a test has a Home Assistant."""
    if "hass" in request.fixturenames:
        request.getfixturevalue("enable_custom_integrations")


@pytest.fixture
def real_sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a test reach the processes that it runs on this machine."""
    pytest_socket.enable_socket()
    monkeypatch.setattr(socket.socket, "connect", pytest_socket._true_connect)
