"""Session headers, segments and snapshots, as docs/reference/format.md gives them. The sections are named as they are there."""

import struct
import zlib

from primitives import Refused, aes_gcm_open, base32, ecdsa_fits, from_base64url, hkdf, hpke_open, identity_of, sha256

LARGEST = 2**53 - 1
UNKNOWN = 0xFFFFFFFF
MAX_SEGMENTS = 4096
ZEROS = bytes(32)
SPKI = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d030107034200")


def refuse_unless(condition, code):
    if not condition:
        raise Refused(code)


# Names


def camera_id(point):
    return sha256(SPKI, point)[:20]


class ViewingKey:
    """Section "Viewing key"."""

    def __init__(self, json):
        self.viewer = sha256(identity_of(from_base64url(json["seed"])))[:20]
        self.day_keys = {day["number"]: from_base64url(day["privateKey"]) for day in json["dayKeys"]}
        self.cameras = {camera["id"] for camera in json["cameras"]}


# Session header


class Session:
    """Reads and checks a session header, but for where it lies."""

    def __init__(self, data):
        refuse_unless(186 <= len(data) <= 186 + 32 * 104 + 64 and data[:6] == b"ORLS\x01\x01", "HEADER_MALFORMED")
        wraps = data[185]
        length = struct.unpack_from(">H", data, 6)[0]
        refuse_unless(
            wraps <= 32 and length == len(data) == 186 + wraps * 104 + 64,
            "HEADER_MALFORMED",
        )
        (self.point, self.id, self.number, self.time_ms, self.previous, self.previous_segments,
         self.previous_digest, self.policy_epoch, self.policy_counter) = struct.unpack_from(
            ">65s16sQQ32sI32sIQ", data, 8)
        refuse_unless(max(self.number, self.time_ms, self.policy_counter) <= LARGEST, "HEADER_MALFORMED")
        known = self.previous_segments != UNKNOWN
        refuse_unless(not known or self.previous_segments <= MAX_SEGMENTS, "HEADER_MALFORMED")
        refuse_unless(not known or self.previous != ZEROS, "HEADER_MALFORMED")
        refuse_unless(known and self.previous_segments > 0 or self.previous_digest == ZEROS, "HEADER_MALFORMED")
        refuse_unless(ecdsa_fits(self.point, b"oriel/1 session\0" + data[:-64], data[-64:]), "SESSION_FORGED")
        self.fixed = data[:186]
        self.wraps = [struct.unpack_from(">20sI32s48s", data, 186 + at * 104) for at in range(wraps)]
        self.hash = sha256(data)
        self.camera = camera_id(self.point)

    def open(self, key):
        """Opens the session secret with the first wrap for the viewer whose day key is at hand."""
        for viewer, number, enc, sealed in self.wraps:
            if viewer == key.viewer and number in key.day_keys:
                info = b"oriel/1 session secret\0" + self.fixed
                aad = viewer + struct.pack(">I", number)
                self.secret = hpke_open(key.day_keys[number], enc, info, aad, sealed)
                self.day_key = number
                refuse_unless(self.secret is not None, "SESSION_WRAP_FORGED")
                return self
        raise Refused("SESSION_KEY_MISSING")


# Segment

OPENING, FRAGMENT, CLOSING, MARK = range(4)
KINDS = ("cut", "dropped", "unknown")


class Segment:
    """Opens a segment of a session; the steps are those of "What an opener answers"."""

    def __init__(self, data, session):
        # 2. The header.
        refuse_unless(len(data) >= 72 and data[:8] == b"ORLG\x01\x01\0\0", "HEADER_MALFORMED")
        header = data[:72]
        camera, session_hash, self.sequence, self.time_ms = struct.unpack_from(">20s32sIQ", header, 8)
        refuse_unless(self.sequence < MAX_SEGMENTS and self.time_ms <= LARGEST, "HEADER_MALFORMED")
        refuse_unless(session_hash == session.hash, "SEGMENT_FOREIGN")
        refuse_unless(camera == session.camera, "CAMERA_FOREIGN")
        self.header_hash = sha256(header)
        derived = hkdf(session.secret, b"oriel/1 segment\0" + header, 23)
        self.key, self.nonce_prefix = derived[:16], derived[16:]
        # 3. to 5.
        records, end = split(data)
        check_places(records, self.header_hash)
        refuse_unless(not records or records[-1].type not in (CLOSING, MARK) or end == len(data), "RECORD_TRAILING")
        # 6. What is in the records.
        self.opening = self.closing = self.mark = None
        self.fragments, digests = [], [self.header_hash]
        for record in records:
            if record.type == MARK:
                self.mark = read_mark(record, self.header_hash, session.point)
                continue
            content = self.open_record(record)
            if record.type == CLOSING:
                self.closing = read_closing(content, self.header_hash, session.point)
                continue
            if record.type == OPENING:
                self.opening = read_opening(content)
            else:
                self.fragments.append((content, record.duration))
            digests.append(sha256(digests[-1], record.whole))
        # 7. The end.
        self.records, self.digest = len(digests) - 1, digests[-1]
        self.duration = sum(duration for _, duration in self.fragments)
        if self.closing:
            stated = (self.closing["records"], self.closing["duration"], self.closing["digest"])
            refuse_unless(stated == (self.records, self.duration, self.digest), "CLOSING_FORGED")
        if self.mark and self.mark["records"] > 0:
            vouched = digests[self.mark["records"] : self.mark["records"] + 1]
            refuse_unless(vouched == [self.mark["digest"]], "MARK_FORGED")
        # 8. Before segment 0 there is none.
        refuse_unless(self.sequence > 0 or not self.closing or self.closing["previous"] == ZEROS, "CHAIN_BROKEN")

    @property
    def verdict(self):
        if self.closing:
            return "complete"
        return "cut" if self.mark and self.mark["kind"] != "unknown" else "open"

    def open_record(self, record):
        """Section "Sealing"."""
        nonce = self.nonce_prefix + struct.pack(">IB", record.counter, record.type == CLOSING)
        aad = self.header_hash + struct.pack(">IB", record.duration, record.type)
        content = aes_gcm_open(self.key, nonce, aad, record.payload)
        refuse_unless(content is not None, "RECORD_FORGED")
        return content


class Record:
    """Section "Records": a whole one."""

    def __init__(self, data, at, length):
        self.at = at
        self.whole = data[at : at + length]
        self.tag, self.counter, self.duration, self.type = struct.unpack_from(">4sIIB", self.whole, 4)
        self.payload = self.whole[21:-4]


def split(data):
    """Step 3: the whole records, and where the last of them ends."""
    records, at = [], 72
    while len(data) - at >= 21:
        refuse_unless(zlib.crc32(data[at : at + 17]) == int.from_bytes(data[at + 17 : at + 21], "big"), "RECORD_CORRUPT")
        length = int.from_bytes(data[at : at + 4], "big")
        refuse_unless(25 <= length <= 8_388_608 and data[at + 16] <= MARK, "RECORD_MALFORMED")
        if len(data) - at < length:
            break
        end = at + length
        refuse_unless(zlib.crc32(data[at : end - 4]) == int.from_bytes(data[end - 4 : end], "big"), "RECORD_CORRUPT")
        refuse_unless(len(records) < 65_536, "RECORD_MALFORMED")
        records.append(Record(data, at, length))
        at = end
    return records, at


def check_places(records, header_hash):
    """Step 4."""
    for place, record in enumerate(records):
        refuse_unless(record.tag == header_hash[:4], "RECORD_MISPLACED")
        refuse_unless(place == 0 or records[place - 1].type not in (CLOSING, MARK), "RECORD_TRAILING")
        refuse_unless(record.counter == (UNKNOWN if record.type == MARK else place), "RECORD_MISPLACED")
        refuse_unless(record.type == MARK or (record.type == OPENING) == (place == 0), "RECORD_MALFORMED")
        refuse_unless(record.type == FRAGMENT or record.duration == 0, "RECORD_MALFORMED")


def read_opening(content):
    """Section "Opening record"."""
    refuse_unless(len(content) >= 22, "RECORD_MALFORMED")
    run, timescale, decode_time, length = struct.unpack_from(">8sIQH", content)
    refuse_unless(timescale > 0 and decode_time <= LARGEST, "RECORD_MALFORMED")
    refuse_unless(length <= 256 and len(content) >= 22 + length, "RECORD_MALFORMED")
    try:
        codecs = content[22 : 22 + length].decode()
    except UnicodeDecodeError:
        raise Refused("RECORD_MALFORMED") from None
    return {
        "run": run,
        "timescale": timescale,
        "decode_time": decode_time,
        "codecs": codecs,
        "init": content[22 + length :],
    }


def read_closing(content, header_hash, point):
    """Section "Closing record"."""
    refuse_unless(len(content) == 77 + 64, "CLOSING_FORGED")
    statement, signature = content[:77], content[77:]
    message = b"oriel/1 closing\0" + header_hash + statement
    refuse_unless(ecdsa_fits(point, message, signature), "CLOSING_FORGED")
    records, duration, digest, previous, final = struct.unpack(">IQ32s32sB", statement)
    refuse_unless(duration <= LARGEST and final <= 1, "CLOSING_FORGED")
    return {"records": records, "duration": duration, "digest": digest, "previous": previous, "final": final == 1}


def read_mark(record, header_hash, point):
    """Section "Mark"."""
    refuse_unless(len(record.payload) == 53 + 64, "MARK_FORGED")
    statement, signature = record.payload[:53], record.payload[53:]
    kind, records, digest, lost, time_ms = struct.unpack(">BI32sQQ", statement)
    placed = kind > 3
    if placed:
        message = b"oriel/1 placed mark\0" + header_hash + statement + struct.pack(">Q", record.at)
    else:
        message = b"oriel/1 mark\0" + header_hash + statement
    refuse_unless(ecdsa_fits(point, message, signature), "MARK_FORGED")
    refuse_unless(1 <= kind <= 6 and max(lost, time_ms) <= LARGEST, "MARK_FORGED")
    name = KINDS[(kind - 1) % 3]
    refuse_unless(name != "unknown" or (records, lost) == (0, 0), "MARK_FORGED")
    return {"kind": name, "placed": placed, "records": records, "digest": digest, "lost": lost, "time_ms": time_ms}


def check_chain(before, segment):
    """Section "Chain of segments", of two complete ones that follow each other among the files."""
    if before.closing and segment.closing:
        follows = segment.sequence == before.sequence + 1 and segment.closing["previous"] == before.digest
        refuse_unless(follows and not before.closing["final"], "CHAIN_BROKEN")


# Snapshot


class Snapshot:
    def __init__(self, data, session):
        blocks, rest = divmod(len(data) - 72 - 16 - 64, 4096)
        refuse_unless(rest == 0 and 1 <= blocks <= 17, "SNAPSHOT_MALFORMED")
        refuse_unless(data[:8] == b"ORLT\x01\x01\0\0", "HEADER_MALFORMED")
        camera, session_hash, self.number, self.time_ms = struct.unpack_from(">20s32sIQ", data, 8)
        refuse_unless(self.number < 128 and self.time_ms <= LARGEST, "HEADER_MALFORMED")
        refuse_unless(session_hash == session.hash, "SNAPSHOT_FOREIGN")
        refuse_unless(camera == session.camera, "CAMERA_FOREIGN")
        refuse_unless(ecdsa_fits(session.point, b"oriel/1 snapshot\0" + data[:-64], data[-64:]), "SNAPSHOT_FORGED")
        derived = hkdf(session.secret, b"oriel/1 snapshot key\0" + data[:72], 28)
        self.key, self.nonce = derived[:16], derived[16:]
        content = aes_gcm_open(self.key, self.nonce, data[:72], data[72:-64])
        refuse_unless(content is not None, "SNAPSHOT_FORGED")
        end = 4 + int.from_bytes(content[:4], "big")
        fewest = -(-end // 4096) * 4096
        refuse_unless(len(content) == fewest and not any(content[end:]), "SNAPSHOT_MALFORMED")
        self.picture = content[4:end]


def id_text(data):
    return base32(data)
