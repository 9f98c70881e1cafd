"""A phone that reads: comes in by a link, exchanges until nothing is missing, prints the records.

    python3 -m ortoo_second.phone LINK
"""

import http.client
import json
import os
import ssl
import sys
from urllib.parse import parse_qs, urlsplit

from . import batch, change, ed25519, message
from .batch import sha256
from .cbor import Bad

ROUNDS_MAX = 100


class Server:
    """HTTPS that trusts the keys of the root statement, whatever the certificate says."""

    def __init__(self, url):
        place = urlsplit(url)
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        self.http = http.client.HTTPSConnection(place.hostname, place.port, context=context)

    def key(self):
        return sha256(public_key_info(self.http.sock.getpeercert(binary_form=True)))

    def ask(self, method, path, body=None, trusted=None):
        if self.http.sock is None:
            self.http.connect()
        if trusted is not None and self.key() not in trusted:
            raise Bad("the server's key is not listed")
        self.http.request(method, path, body, {"content-type": "application/octet-stream"})
        presented = self.key()
        reply = self.http.getresponse()
        data = reply.read()
        if reply.status != 200:
            raise Bad(f"{path}: {reply.status} {data[:200]!r}")
        return data, presented


def der(data):
    """One DER element: its whole, its content, what follows."""
    length, at = data[1], 2
    if length & 128:
        at += length & 127
        length = int.from_bytes(data[2:at], "big")
    return data[: at + length], data[at : at + length], data[at + length :]


def public_key_info(certificate):
    rest = der(der(certificate)[1])[1]
    if rest[0] == 0xA0:
        rest = der(rest)[2]
    # Serial number, signature, issuer, validity and subject stand before it.
    for _ in range(5):
        rest = der(rest)[2]
    return der(rest)[0]


class Phone:
    def __init__(self, link):
        place = urlsplit(link)
        query = parse_qs(place.query)
        self.server = Server(query["server"][0])
        self.network = bytes.fromhex(query["net"][0])
        self.code = place.fragment
        self.key = os.urandom(32)
        self.control = message.Control(self.network)
        self.batches, self.bases = {}, {}

    def enrol(self):
        root, presented = self.server.ask("GET", "/v1/network")
        self.control.take(root)
        if presented not in self.control.tls_keys:
            raise Bad("the server's key is not listed")
        sealing = ed25519.x25519_public(os.urandom(32))
        body = message.enrol_request(self.network, self.code, self.key, sealing)
        answer = message.enrol_answer(self.post("/v1/enrol", body))
        if answer["pending"]:
            raise Bad("the administrator has to let this device in")
        self.incarnation, self.nonce = answer["incarnation"], answer["nonce"]
        for entry in answer["control"]:
            self.control.take(entry)
        device = message.device_id(ed25519.public(self.key))
        self.bases = {space: (0, {}) for space in self.control.spaces[device]}

    def post(self, path, body):
        return self.server.ask("POST", path, body, self.control.tls_keys)[0]

    def vector(self, space):
        """The tips of what is held: batches that no other one names as its parent."""
        held = [b for b in self.batches.values() if (b.unit, b.kind) == space]
        parents = {parent for b in held for parent in b.prev}
        vector = {}
        for one in held:
            if one.name not in parents:
                vector.setdefault(one.device, set()).add((one.seq, one.name[:16]))
        return vector

    def claim(self, space):
        counter, base = self.bases[space]
        own = self.vector(space)
        differ = sorted(d for d in own.keys() | base.keys() if own.get(d) != base.get(d))
        tips = lambda device: [list(tip) for tip in sorted(own.get(device, ()))]
        return [list(space), counter, [[d, tips(d)] for d in differ], None]

    def round(self):
        claims = [self.claim(space) for space in sorted(self.bases)]
        body = message.request(
            self.network,
            self.key,
            self.nonce,
            self.control.position(),
            message.base_digest(self.incarnation, self.bases),
            claims,
            65_536,
        )
        answer = message.answer(self.post("/v1/exchange", body))
        self.nonce = answer["nonce"] or self.nonce
        for entry in answer["control"] or ():
            self.control.take(entry)
        reset = answer["incarnation"]
        self.incarnation = reset or self.incarnation
        for space, counter, changes, _ in (state[:3] + [None] for state in answer["spaces"] or ()):
            vector = {} if reset else dict(self.bases[tuple(space)][1])
            for device, tips in changes:
                vector[device] = {tuple(tip) for tip in tips}
                if not tips:
                    del vector[device]
            self.bases[tuple(space)] = counter, vector
        for stored in batch.open_message(self.network, answer["batches"]) if answer["batches"] else ():
            self.hold(stored)
        behind = any(self.vector(space) != base for space, (_, base) in self.bases.items())
        return answer["more"] or answer["stale_nonce"] or behind

    def hold(self, stored):
        one = batch.read(self.network, stored)
        key = self.control.writer(one.device)
        if key is None or not ed25519.verify(key, one.message, one.signature):
            raise Bad("a batch that its author did not sign")
        self.batches[one.name] = one

    def sync(self):
        for rounds in range(1, ROUNDS_MAX):
            if not self.round():
                return rounds
        raise Bad("no end of it")

    def records(self):
        """What every record shows: of the operations that none replaces, the greatest wins."""
        written, replaced = {}, set()
        for one in self.batches.values():
            for record, chunk in one.entries:
                made = change.parse(chunk)
                place = (record, one.unit, one.kind)
                for op, put in made.ops():
                    written[place, put.key, op] = put.value
                    replaced |= {(place, put.key, pred) for pred in put.preds}
        shown = {}
        for (place, key, op) in sorted(written, key=lambda at: at[2]):
            if (place, key, op) not in replaced:
                fields = shown.setdefault(message.record_id(place[0]), {})
                fields.setdefault(key, []).insert(0, written[place, key, op])
        return shown


def main(link):
    phone = Phone(link)
    phone.enrol()
    rounds = phone.sync()
    said = {
        "device": message.device_id(ed25519.public(phone.key)).hex(),
        "rounds": rounds,
        "batches": len(phone.batches),
        "records": phone.records(),
    }
    print(json.dumps(said, ensure_ascii=False))


if __name__ == "__main__":
    main(*sys.argv[1:])
