"""What opens a store."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Callable, Union

from ._native import ffi


@dataclass(frozen=True)
class KeyStoreSecret:
    """The key store of the system, and a PIN unless it is empty.

    Who has the files and not the key store can't try a single PIN.
    """

    mac: Callable[[bytes], bytes] = field(repr=False)
    """HMAC-SHA-256 (32 bytes) of a message under a key that never leaves the key store; the same at
    every call. Called from whatever thread opens the store. Where it raises, or gives anything but
    32 bytes, the store does not open: ``key_store_silent``."""
    pin: str = field(default="", repr=False)
    """Empty, or at least 4 characters."""


Secret = Union[str, KeyStoreSecret]
"""What opens a store: a typed PIN or passphrase of at least 4 characters (a server of real people's
data takes only generated ones of at least 12), or the key store of the system."""


class _KeyStore(ffi.KeyStore):
    """A key store as the library asks it."""

    def __init__(self, mac: Callable[[bytes], bytes]) -> None:
        self._mac = mac

    def mac(self, message: bytes) -> bytes:
        try:
            return bytes(self._mac(message))
        except Exception:
            # The detail is not passed on: what a key store says may name its keys.
            raise ffi.HostError.Failed("") from None


def to_native(secret: Secret) -> Any:
    """A secret as the library takes it."""
    if isinstance(secret, KeyStoreSecret):
        return ffi.Secret.IN_KEY_STORE(secret.pin, _KeyStore(secret.mac))
    return ffi.Secret.TYPED(secret)
