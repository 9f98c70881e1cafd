"""What the server writes beside its database: journal and backup."""

import hashlib
import struct

from .cbor import Bad

RECORD_MAX = 512 * 1024 + 1
KINDS = {1: "batch", 2: "control"}


def journal(data):
    """Head and records of a journal's file, and how it ends."""
    if len(data) < 65 or data[:16] != b"ortoo journal 1\n":
        raise Bad("no journal")
    number, begun, whole = struct.unpack_from(">QqB", data, 48)
    records, end, at = [], "end", 65
    while at < len(data):
        length = int.from_bytes(data[at : at + 4], "big") if at + 4 <= len(data) else 0
        if length > RECORD_MAX:
            end = "lost"
            break
        record = data[at + 36 : at + 36 + length]
        if length == 0 or len(record) < length:
            end = "torn"
            break
        hashed = hashlib.sha256(record).digest() == data[at + 4 : at + 36]
        kind = KINDS.get(record[0])
        records.append({kind: record[1:].hex()} if hashed and kind else "altered")
        at += 36 + length
    return {
        "network": data[16:48].hex(),
        "number": number,
        "begun": begun,
        "whole": whole == 1,
        "records": records,
        "ends": end,
    }


def backup(data):
    """The table of a backup, and its parts."""
    if data[:16] != b"ortoo backup 01\n":
        raise Bad("no backup")
    (time, count), at, table = struct.unpack_from(">qH", data, 56), 66, []
    for _ in range(count):
        name = data[at + 1 : at + 1 + data[at]]
        length, digest = struct.unpack_from(">Q32s", data, at + 1 + len(name))
        table.append((name.decode(), length, digest))
        at += 41 + len(name)
    if hashlib.sha256(data[:at]).digest() != data[at : at + 32]:
        raise Bad("the table is broken")
    parts, at = [], at + 32
    for name, length, digest in table:
        part = data[at : at + length]
        if len(part) < length or hashlib.sha256(part).digest() != digest:
            raise Bad(f"{name} is broken")
        parts.append({"name": name, "bytes": part.hex()})
        at += length
    return {
        "network": data[16:48].hex(),
        "incarnation": data[48:56].hex(),
        "time": time,
        "parts": parts,
    }
