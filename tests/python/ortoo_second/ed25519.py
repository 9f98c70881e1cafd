"""Ed25519 (RFC 8032) and X25519 (RFC 7748), slow and short."""

import hashlib

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
ROOT = pow(2, (P - 1) // 4, P)


def _x(y, sign):
    if y >= P:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * ROOT % P
    if (x * x - square) % P or (x == 0 and sign):
        return None
    return P - x if x & 1 != sign else x


def _add(p, q):
    a, b = (p[1] - p[0]) * (q[1] - q[0]) % P, (p[1] + p[0]) * (q[1] + q[0]) % P
    c, d = 2 * p[3] * q[3] * D % P, 2 * p[2] * q[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def _mul(n, p):
    out = (0, 1, 1, 0)
    while n:
        if n & 1:
            out = _add(out, p)
        p, n = _add(p, p), n >> 1
    return out


def _equal(p, q):
    return not ((p[0] * q[2] - q[0] * p[2]) % P or (p[1] * q[2] - q[1] * p[2]) % P)


_BY = 4 * pow(5, P - 2, P) % P
_BX = _x(_BY, 0)
BASE = (_BX, _BY, 1, _BX * _BY % P)


def _compress(p):
    z = pow(p[2], P - 2, P)
    x, y = p[0] * z % P, p[1] * z % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


def _point(data):
    y = int.from_bytes(data, "little")
    x = _x(y & (1 << 255) - 1, y >> 255)
    if x is None:
        return None
    y &= (1 << 255) - 1
    return x, y, 1, x * y % P


def _hash(*parts):
    return int.from_bytes(hashlib.sha512(b"".join(parts)).digest(), "little")


def _secret(key):
    digest = hashlib.sha512(key).digest()
    number = int.from_bytes(digest[:32], "little")
    return number & (1 << 254) - 8 | 1 << 254, digest[32:]


def public(key):
    return _compress(_mul(_secret(key)[0], BASE))


def sign(key, message):
    number, prefix = _secret(key)
    nonce = _hash(prefix, message) % L
    first = _compress(_mul(nonce, BASE))
    challenge = _hash(first, public(key), message) % L
    return first + ((nonce + challenge * number) % L).to_bytes(32, "little")


def verify(key, message, signature):
    owner, first = _point(key), _point(signature[:32])
    number = int.from_bytes(signature[32:], "little")
    if owner is None or first is None or number >= L or len(signature) != 64:
        return False
    # Strict: keys and first points of small order verify nothing.
    if any(_equal(_mul(8, p), (0, 1, 1, 0)) for p in (owner, first)):
        return False
    challenge = _hash(signature[:32], key, message) % L
    return _equal(_mul(number, BASE), _add(first, _mul(challenge, owner)))


def x25519(key, point):
    n = int.from_bytes(key, "little") & (1 << 254) - 8 | 1 << 254
    x = int.from_bytes(point, "little") & (1 << 255) - 1
    a, b, c, d = 1, 0, x, 1
    for bit in reversed(range(255)):
        flip = n >> bit & 1
        if flip:
            a, b, c, d = c, d, a, b
        s, t, u, v = a + b, a - b, c + d, c - d
        m, q = v * s, u * t
        c, d = pow(m + q, 2, P), x * pow(m - q, 2, P) % P
        e = s * s - t * t
        a, b = s * s * t * t % P, e * (s * s + 121665 * e) % P
        if flip:
            a, b, c, d = c, d, a, b
    return (a * pow(b, P - 2, P) % P).to_bytes(32, "little")


def x25519_public(key):
    return x25519(key, (9).to_bytes(32, "little"))
