"""What is sealed: HPKE in base mode with DHKEM(X25519, HKDF-SHA256), HKDF-SHA256 and ChaCha20-Poly1305
(RFC 9180), and XChaCha20-Poly1305. Slow and short."""

import hashlib
import hmac
from struct import pack, unpack

from . import ed25519
from .cbor import Bad

KEM = b"KEM\x00\x20"
SUITE = b"HPKE\x00\x20\x00\x01\x00\x03"


def _quarter(s, a, b, c, d):
    for x, y, z, turn in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
        s[x] = s[x] + s[y] & 0xFFFFFFFF
        mixed = s[z] ^ s[x]
        s[z] = (mixed << turn | mixed >> 32 - turn) & 0xFFFFFFFF


def _rounds(state):
    s = list(state)
    for _ in range(10):
        for column in range(4):
            _quarter(s, column, 4 + column, 8 + column, 12 + column)
        for column in range(4):
            _quarter(s, column, 4 + (column + 1) % 4, 8 + (column + 2) % 4, 12 + (column + 3) % 4)
    return s


def _state(key, sixteen):
    return unpack("<16I", b"expand 32-byte k" + key + sixteen)


def _block(key, nonce, count):
    state = _state(key, pack("<I", count) + nonce)
    mixed = (a + b & 0xFFFFFFFF for a, b in zip(state, _rounds(state)))
    return pack("<16I", *mixed)


def _poly1305(key, message):
    r = int.from_bytes(key[:16], "little") & 0x0FFFFFFC0FFFFFFC0FFFFFFC0FFFFFFF
    sum = 0
    for at in range(0, len(message), 16):
        sum = (sum + int.from_bytes(message[at : at + 16] + b"\1", "little")) * r % (2**130 - 5)
    return (sum + int.from_bytes(key[16:], "little") & 2**128 - 1).to_bytes(16, "little")


def chacha20_poly1305(key, nonce, data, sealed):
    """Opens; the tag is the last 16 bytes."""
    text, tag = sealed[:-16], sealed[-16:]
    filled = lambda some: some + bytes(-len(some) % 16)
    signed = filled(data) + filled(text) + pack("<QQ", len(data), len(text))
    if not hmac.compare_digest(_poly1305(_block(key, nonce, 0)[:32], signed), tag):
        raise Bad("it does not open")
    out = bytearray()
    for at in range(0, len(text), 64):
        stream = _block(key, nonce, 1 + at // 64)
        out += bytes(a ^ b for a, b in zip(text[at : at + 64], stream))
    return bytes(out)


def xchacha20_poly1305(key, nonce, data, sealed):
    mixed = _rounds(_state(key, nonce[:16]))
    inner = pack("<8I", *mixed[:4], *mixed[12:])
    return chacha20_poly1305(inner, bytes(4) + nonce[16:], data, sealed)


def _extract(suite, salt, label, secret):
    return hmac.digest(salt, b"HPKE-v1" + suite + label + secret, hashlib.sha256)


def _expand(suite, secret, label, info, length):
    info = pack(">H", length) + b"HPKE-v1" + suite + label + info
    out = b""
    while len(out) < length:
        before = out[-32:]
        out += hmac.digest(secret, before + info + bytes([len(out) // 32 + 1]), hashlib.sha256)
    return out[:length]


def open_with(key, info, sealed):
    """Opens what was sealed to the public half of `key`: suite, encapsulated key, ciphertext."""
    if sealed[0] != 1:
        raise Bad("an unknown suite")
    encapsulated, text = sealed[1:33], sealed[33:]
    shared = ed25519.x25519(key, encapsulated)
    context = encapsulated + ed25519.x25519_public(key)
    shared = _extract(KEM, b"", b"eae_prk", shared)
    shared = _expand(KEM, shared, b"shared_secret", context, 32)
    hashes = _extract(SUITE, b"", b"psk_id_hash", b"") + _extract(SUITE, b"", b"info_hash", info)
    secret = _extract(SUITE, shared, b"secret", b"")
    opener = _expand(SUITE, secret, b"key", b"\0" + hashes, 32)
    nonce = _expand(SUITE, secret, b"base_nonce", b"\0" + hashes, 12)
    return chacha20_poly1305(opener, nonce, b"", text)


def open_row(key, data, sealed):
    """Opens what was sealed under a key that both know: suite, nonce, ciphertext."""
    if sealed[0] != 1:
        raise Bad("an unknown suite")
    return xchacha20_poly1305(key, sealed[1:25], data, sealed[25:])
