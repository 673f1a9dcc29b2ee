"""TLS settings of the broker connection, which always verify the certificate.

By default kombu verifies nothing for a `rediss://` address.
"""

import ssl
import stat
from pathlib import Path
from typing import Any

from worker.errors import SettingsError
from worker.settings import PREFIX, Settings, Verify

_FILES = ("broker_ca", "broker_certificate", "broker_key")


def broker_tls(settings: Settings) -> dict[str, Any] | None:
    """Return the TLS arguments of redis-py and kombu for this broker, None without TLS.

    Raises:
        SettingsError: a file is missing or damaged, the key is open to others, or TLS is set but the address
            does not ask for it.
    """
    given: dict[str, Path] = {name: path for name in _FILES if (path := getattr(settings, name)) is not None}
    if settings.embedded_broker or not settings.broker_address().startswith("rediss://"):
        if given:
            raise _wrong(
                next(iter(given)), "TLS is set, but the broker's address does not ask for it", "rediss://"
            )
        return None
    if ("broker_certificate" in given) != ("broker_key" in given):
        raise _wrong(
            "broker_certificate", "a certificate needs its key, and a key its certificate", "both, or neither"
        )
    _require_private(given.get("broker_key"))
    _require_loadable(given)
    names = {"broker_ca": "ssl_ca_certs", "broker_certificate": "ssl_certfile", "broker_key": "ssl_keyfile"}
    return {
        "ssl_cert_reqs": ssl.CERT_REQUIRED,
        "ssl_check_hostname": settings.broker_verify is Verify.FULL,
        **{names[name]: str(path) for name, path in given.items()},
    }


def _require_private(key: Path | None) -> None:
    try:
        if key is not None and key.stat().st_mode & (stat.S_IROTH | stat.S_IWOTH):
            raise SettingsError(
                reason=f"The private key {key} is open to every user of this machine.",
                remedy=f"Run: chmod o-rwx '{key}'",
            )
    except OSError as error:
        raise _wrong(
            "broker_key", f"{key} cannot be read ({error.strerror})", "a file that this user can read"
        ) from error


def _require_loadable(given: dict[str, Path]) -> None:
    context = ssl.create_default_context()
    name = "broker_ca"
    try:
        if name in given:
            context.load_verify_locations(cafile=given[name])
        name = "broker_certificate"
        if name in given:
            context.load_cert_chain(given[name], given["broker_key"], password="")
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        words = getattr(error, "strerror", None) or type(error).__name__
        raise _wrong(
            name, f"{given[name]} cannot be used ({words})", "a PEM file; keys without a passphrase"
        ) from error


def _wrong(name: str, what: str, wanted: str) -> SettingsError:
    return SettingsError(reason=f"{PREFIX}{name.upper()}: {what}.", remedy=f"Needed: {wanted}.")
