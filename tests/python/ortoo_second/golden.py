"""Reads the golden files and says whether they say what stands beside them.

    python3 -m ortoo_second.golden DIRECTORY
"""

import json
import sys
from pathlib import Path

from . import batch, cbor, change, message

# The constants of the village in which all golden things were recorded.
NETWORK = None


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
        "seq": made.seq,
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


READERS = {
    "network": network,
    "control": network,
    "enrol_answer": enrol_answer,
    "request": request,
    "answer": answer,
    "compact": lambda data: {"batches": [b.hex() for b in batch.open_message(NETWORK, data)]},
    "batch": stored,
    "change": of_change,
}


def main(directory):
    global NETWORK
    things = {kind: json.loads(Path(directory, f"{kind}.json").read_text()) for kind in READERS}
    root = cbor.read(cbor.read(bytes.fromhex(things["network"][0]["bytes"]))[0])
    NETWORK = batch.sha256(b"ortoo root v1\0", root[3])
    checked = 0
    for kind, reader in READERS.items():
        for thing in things[kind]:
            said = reader(bytes.fromhex(thing["bytes"]))
            for key, value in said.items():
                told = thing["says"].get(key)
                assert value == told, f"{kind}/{thing['name']} {key}: {value!r}, not {told!r}"
            checked += 1
    print(json.dumps({"checked": checked}))


if __name__ == "__main__":
    main(*sys.argv[1:])
