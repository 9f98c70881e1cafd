"""Reads the golden files and says whether they say what stands beside them.

    python3 -m ortoo_second.golden DIRECTORY
"""

import json
import sys
from pathlib import Path

from . import batch, bundle, cbor, change, file, message

# The constants of the village in which all golden things were recorded: the network, and the signing
# keys of its node and its phones.
NETWORK = None
ENROLLED = {}


def tips(feeds):
    return {device.hex(): [f"{seq}:{name.hex()}" for seq, name in of] for device, of in feeds or ()}


def names(compact):
    if not compact:
        return []
    return [named(stored) for stored in batch.open_message(NETWORK, compact)]


def named(stored):
    try:
        return batch.read(NETWORK, stored).name.hex()
    except cbor.Bad:
        return "batch_envelope"


def network(data):
    return {"name": batch.sha256(b"ortoo control v1\0", NETWORK, cbor.read(data)[0]).hex()}


def request(data):
    body, signature = cbor.read(message.unpack(data))[:2]
    _, device, nonce, count, digest, base, spaces, batches, budget = cbor.read(body)[:9]
    claims = [
        {
            "space": message.space_name(claim[0]),
            "counter": claim[1],
            "changes": tips(claim[2]),
            "ladders": tips(claim[3] if len(claim) > 3 else None),
        }
        for claim in spaces
    ]
    return {
        "device": device.hex(),
        "nonce": nonce.hex(),
        "control_count": count,
        "control_digest": digest.hex(),
        "base": base.hex(),
        "spaces": claims,
        "batches": names(batches),
        "budget": budget,
        "signature": signature.hex(),
    }


def answer(data):
    told = message.answer(data)
    states = [
        {
            "space": message.space_name(state[0]),
            "counter": state[1],
            "changes": tips(state[2]),
            "ladders_wanted": [d.hex() for d in (state[3] if len(state) > 3 else None) or ()],
        }
        for state in told["spaces"] or ()
    ]
    text = lambda value: value and value.hex()
    return {
        "time": told["time"],
        "nonce": text(told["nonce"]),
        "stale_nonce": bool(told["stale_nonce"]),
        "incarnation": text(told["incarnation"]),
        "reset": told["incarnation"] is not None,
        "spaces": states,
        "batches": names(told["batches"]),
        "more": bool(told["more"]),
        "refused": [list(one) for one in told["refused"] or ()],
    }


def stored(data):
    one = batch.read(NETWORK, data)
    return {
        "name": one.name.hex(),
        "space": one.space,
        "device": one.device.hex(),
        "author": one.author.hex(),
        "seq": one.seq,
        "prev": [parent.hex() for parent in one.prev],
        "dictionary": one.dictionary,
        "time": one.time,
        "entries": [
            {"record": message.record_id(record), "change": chunk.hex()}
            for record, chunk in one.entries
        ],
    }


def of_change(data):
    try:
        made = change.parse(data)
    except cbor.Bad:
        return {}
    op = lambda pair: f"{pair[0]}@{pair[1].hex()}"
    return {
        "hash": made.hash.hex(),
        "deps": [dep.hex() for dep in made.deps],
        "actor": made.actor.hex(),
        "start_op": made.start_op,
        "time": made.time,
        "puts": [
            {"key": put.key, "value": put.value, "preds": [op(pred) for pred in put.preds]}
            for put in made.puts
        ],
    }


def enrol_answer(data):
    told = message.enrol_answer(data)
    return {
        "pending": told["pending"],
        "pin_only": told["pin_only"],
        "author": told["author"].hex(),
        "incarnation": told["incarnation"].hex(),
        "nonce": told["nonce"].hex(),
        "time": told["time"],
    }


def of_bundle(data, keys):
    """Opens each envelope with whichever key does."""
    opened = []
    for envelope in bundle.envelopes(data):
        ours = (key for key in keys if envelope.is_for(key))
        opened.append(envelope.open(NETWORK, next(ours)).hex())
    return {"opens_to": opened, "readers": [len(e.names) for e in bundle.envelopes(data)]}


def content(data):
    batches, control, claims, receipts = bundle.content(NETWORK, data)
    return {
        "batches": [named(stored) for stored in batches],
        "control": [entry.hex() for entry in control],
        "claims": claims and claims.hex(),
        "receipts": [receipt.hex() for receipt in receipts],
    }


def claims(data):
    device = cbor.read(cbor.read(data)[0])[0]
    fields = bundle.signed(b"ortoo claims v1\0", NETWORK, ENROLLED[device], data)
    _, count, digest, spaces = fields[:4]
    return {
        "device": device.hex(),
        "control_count": count,
        "control_digest": digest.hex(),
        "spaces": [[message.space_name(space), tips(held)] for space, held in spaces],
    }


def receipt(data):
    node = cbor.read(cbor.read(data)[0])[0]
    fields = bundle.signed(b"ortoo receipt v1\0", NETWORK, ENROLLED[node], data)
    _, incarnation, space, counter, vector = fields[:5]
    return {
        "node": node.hex(),
        "incarnation": incarnation.hex(),
        "space": message.space_name(space),
        "counter": counter,
        "vector": tips(vector),
    }


def referring(data):
    """A request, with what its receiver holds beside it."""
    packed, held = cbor.read(data)[:2]
    fields = cbor.read(cbor.read(message.unpack(packed))[0])
    device, spaces = fields[1], [message.space(claim[0]) for claim in fields[6]]
    held = [batch.read(NETWORK, stored) for stored in held]
    asked = []

    def find(place, feed, seq):
        space = spaces[place]
        asked.append(f"{message.space_name(space)} {feed.hex()} {seq}")
        named = lambda one: (one.space_pair, one.device[:2], one.seq) == (space, feed, seq)
        return next(filter(named, held))

    told = batch.open_message(NETWORK, fields[7], device, spaces, find)
    return {"refers_to": asked, "batches": [stored.hex() for stored in told]}


READERS = {
    "bundle": of_bundle,
    "content": content,
    "claims": claims,
    "receipt": receipt,
    "referring": referring,
    "network": network,
    "control": network,
    "decision": network,
    "enrol_answer": enrol_answer,
    "request": request,
    "answer": answer,
    "compact": lambda data: {"batches": [b.hex() for b in batch.open_message(NETWORK, data)]},
    "batch": stored,
    "change": of_change,
    "journal": file.journal,
    "backup": file.backup,
}


def main(directory):
    global NETWORK
    things = {kind: json.loads(Path(directory, f"{kind}.json").read_text()) for kind in READERS}
    root = cbor.read(cbor.read(bytes.fromhex(things["network"][0]["bytes"]))[0])
    NETWORK = batch.sha256(b"ortoo root v1\0", root[3])
    control = message.Control(NETWORK)
    for kind in ("network", "control", "decision"):
        for thing in things[kind]:
            control.take(bytes.fromhex(thing["bytes"]))
    ENROLLED.update(control.writers)
    ENROLLED.update((message.device_id(key), key) for key in control.node_keys)
    checked = 0
    for kind, reader in READERS.items():
        for thing in things[kind]:
            data = bytes.fromhex(thing["bytes"])
            if kind == "bundle":
                keys = [bytes.fromhex(key) for key in thing["says"]["opened_by"]]
                said = of_bundle(data, keys)
            else:
                said = reader(data)
            for key, value in said.items():
                told = thing["says"].get(key)
                assert value == told, f"{kind}/{thing['name']} {key}: {value!r}, not {told!r}"
            checked += 1
    print(json.dumps({"checked": checked}))


if __name__ == "__main__":
    main(*sys.argv[1:])
