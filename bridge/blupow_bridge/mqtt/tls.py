"""TLS to a broker: the context, and what the handshake says where an MQTT client does not hear it."""

import asyncio
from contextlib import suppress
import ssl
from typing import Final

from ..config import MqttConfig

HANDSHAKE_LIMIT: Final = 10.0
"""Seconds for a connection and its handshake."""
REFUSAL_LIMIT: Final = 3.0
"""Seconds after the handshake in which a broker says that it refuses a certificate."""


class CertificateUnusable(Exception):
    """A file of a certificate, or of a key, could not be read; the text says which."""


def tls_context(config: MqttConfig) -> ssl.SSLContext:
    """Return a new context for TLS, from the files as they are now. Raises CertificateUnusable."""
    try:
        context = ssl.create_default_context(cafile=config.ca_file)
    except (OSError, ssl.SSLError) as err:
        raise CertificateUnusable(f"ca_file {config.ca_file}: {_reason(err)}") from err
    if config.ca_file is not None:
        # authorities that people make themselves often lack extensions that the strict check asks for
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if config.certificate is not None:
        try:
            context.load_cert_chain(config.certificate, config.key, password=_no_password)
        except (OSError, ssl.SSLError) as err:
            text = f"certificate {config.certificate}, key {config.key}: {_reason(err)}"
            raise CertificateUnusable(text) from err
    return context


async def check_handshake(
    host: str, port: int, context: ssl.SSLContext, *, wait_for_refusal: bool = False
) -> None:
    """Connect to a broker, and leave again. Raises OSError, ssl.SSLError with the reason of a refusal.

    The client of a broker leaves the socket of a handshake that has failed open. By TLS 1.3 a broker
    refuses a certificate after the handshake: with `wait_for_refusal` that is waited for.
    """
    async with asyncio.timeout(HANDSHAKE_LIMIT):
        reader, writer = await asyncio.open_connection(host, port, ssl=context)
        try:
            if wait_for_refusal:
                with suppress(TimeoutError):
                    async with asyncio.timeout(REFUSAL_LIMIT):
                        await reader.read(1)
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()


def _no_password() -> str:
    """Have a key that is encrypted be told, instead of a question at a terminal."""
    return ""


def _reason(err: OSError) -> str:
    if isinstance(err, ssl.SSLError):
        return (err.reason or "no certificate").lower().replace("_", " ")
    return err.strerror or str(err)
