"""A second opener, written from docs/reference/format.md alone: what it says, the product has to say.

usage: opener.py vectors FILE            what comes of each vector of a file of test/vectors/format, as JSON
       opener.py verify KEY DIRECTORY...  what there is in footage directories, as JSON
"""

import json
import os
import sys

from directory import verify
from footage import Segment, Session, Snapshot, ViewingKey, check_chain, id_text, refuse_unless
from primitives import Refused, base64url, from_base64url
from statements import read_pairing_statement, read_pins, read_report, read_setup_code


def outcome(act):
    """What `act` gives, its byte strings as base64url; or the code by which it refuses."""
    try:
        return plain(act())
    except Refused as refused:
        return {"code": refused.code}


def plain(value):
    if isinstance(value, bytes):
        return base64url(value)
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, list):
        return [plain(each) for each in value]
    return value


def format_vectors(given):
    key = ViewingKey(given["viewingKey"])

    def session(vector):
        header = Session(from_base64url(vector["bytes"]))
        refuse_unless(id_text(header.camera) in key.cameras, "CAMERA_FOREIGN")
        return header.open(key)

    sessions = {vector["name"]: session(vector) for vector in given["sessions"]}

    def segment(vector, which="bytes"):
        return Segment(from_base64url(vector[which]), sessions[vector["session"]])

    return {
        "sessions": [outcome(lambda: told_session(session(vector))) for vector in given["sessions"]],
        "segments": [outcome(lambda: told_segment(segment(vector))) for vector in given["segments"]],
        "refusedSessions": [outcome(lambda: told_session(session(vector))) for vector in given["refusedSessions"]],
        "refusedSegments": [outcome(lambda: told_segment(segment(vector))) for vector in given["refusedSegments"]],
        "refusedChains": [
            outcome(lambda: check_chain(segment(vector, "before"), segment(vector)))
            for vector in given["refusedChains"]
        ],
    }


def told_session(session):
    return {
        "id": session.id,
        "number": session.number,
        "timeMs": session.time_ms,
        "dayKey": session.day_key,
        "hash": session.hash,
        "secret": session.secret,
    }


def told_segment(segment):
    told = {
        "sequence": segment.sequence,
        "timeMs": segment.time_ms,
        "key": segment.key,
        "noncePrefix": segment.nonce_prefix,
        "verdict": segment.verdict,
        "digest": segment.digest,
        "fragments": [{"bytes": content, "durationUs": duration} for content, duration in segment.fragments],
    }
    if segment.opening:
        opening = dict(segment.opening)
        told["opening"] = {**opening, "decodeTime": opening.pop("decode_time")}
        del told["opening"]["decode_time"]
    if segment.closing:
        told["closing"] = {"previousDigest": segment.closing["previous"], "final": segment.closing["final"]}
    if segment.mark:
        mark = segment.mark
        told["mark"] = {
            "kind": mark["kind"],
            "placed": mark["placed"],
            "vouchedRecords": mark["records"],
            "lostUs": mark["lost"],
            "timeMs": mark["time_ms"],
        }
    return told


def snapshot_vectors(given):
    session = Session(from_base64url(given["session"])).open(ViewingKey(given["viewingKey"]))

    def snapshot(vector):
        opened = Snapshot(from_base64url(vector["bytes"]), session)
        return {
            "number": opened.number,
            "timeMs": opened.time_ms,
            "key": opened.key,
            "nonce": opened.nonce,
            "picture": opened.picture,
        }

    return lists(given, {"accepted": snapshot, "refused": snapshot})


def pairing_vectors(given):
    codes = {vector["name"]: read_setup_code(vector["text"]) for vector in given["codes"]}

    def statement(vector):
        return read_pairing_statement(from_base64url(vector["bytes"]), codes[vector["setupCode"]])

    def code(vector):
        return read_setup_code(vector["text"])

    judges = {"codes": code, "refusedCodes": code, "statements": statement, "refusedStatements": statement}
    return lists(given, judges)


def pins_vectors(given):
    camera, obeyed = given["camera"], from_base64url(given["obeyed"])
    owner = from_base64url(camera["owner"])

    def pins(vector):
        before = obeyed if vector["afterObeyed"] else None
        read = read_pins(from_base64url(vector["bytes"]), camera["id"], owner, camera["epoch"], before)
        return {name: read[name] for name in ("verdict", "counter", "origin", "activePin", "backupPin")}

    return lists(given, {"accepted": pins, "refused": pins})


def reports_vectors(given):
    def report(vector):
        read = read_report(from_base64url(vector["bytes"]), from_base64url(given["camera"]["deviceKey"]))
        refuse_unless(read.pop("camera") == given["camera"]["id"], "CAMERA_FOREIGN")
        return read

    return lists(given, {"accepted": report, "refused": report})


def lists(given, judges):
    return {name: [outcome(lambda: judge(vector)) for vector in given[name]] for name, judge in judges.items()}


VECTORS = {
    "v1.json": format_vectors,
    "snapshots.json": snapshot_vectors,
    "pairing.json": pairing_vectors,
    "pins.json": pins_vectors,
    "reports.json": reports_vectors,
}


def main(arguments):
    if len(arguments) == 2 and arguments[0] == "vectors":
        with open(arguments[1], encoding="utf-8") as file:
            return VECTORS[os.path.basename(arguments[1])](json.load(file))
    if len(arguments) > 2 and arguments[0] == "verify":
        with open(arguments[1], encoding="utf-8") as file:
            key = ViewingKey(json.load(file))
        return [verify(directory, key) for directory in arguments[2:]]
    raise SystemExit(__doc__)


if __name__ == "__main__":
    json.dump(main(sys.argv[1:]), sys.stdout)
