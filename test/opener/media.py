"""Whether a segment's media plays: docs/reference/format.md, section "Media"; boxes as in ISO/IEC 14496-12."""

import struct

from footage import LARGEST, refuse_unless

MALFORMED = "MEDIA_MALFORMED"


def boxes(data):
    """The boxes that fill some bytes: [(type, content)]."""
    found, at = [], 0
    while at < len(data):
        refuse_unless(len(data) - at >= 8 and len(found) < 4096, MALFORMED)
        size, header = int.from_bytes(data[at : at + 4], "big"), 8
        kind = bytes(data[at + 4 : at + 8])
        if size == 1:
            size, header = int.from_bytes(data[at + 8 : at + 16], "big"), 16
        refuse_unless(header <= size <= len(data) - at, MALFORMED)
        found.append((kind, data[at + header : at + size]))
        at += size
    return found


def only(data, *path):
    """The content of the one box at the end of a path."""
    for kind in path:
        contents = [content for each, content in boxes(data) if each == kind]
        refuse_unless(len(contents) == 1, MALFORMED)
        data = contents[0]
    return data


class Box:
    """A box's fields, one after the other."""

    def __init__(self, content):
        self.content, self.at = content, 0
        self.version, self.flags = content[0] if content else 0, int.from_bytes(self.skip(4)[1:], "big")

    def skip(self, length):
        refuse_unless(self.at + length <= len(self.content), MALFORMED)
        self.at += length
        return self.content[self.at - length : self.at]

    def number(self, length=4, signed=False):
        return int.from_bytes(self.skip(length), "big", signed=signed)


class Track:
    def __init__(self, trak, extends):
        tkhd = Box(only(trak, b"tkhd"))
        tkhd.skip(16 if tkhd.version == 1 else 8)
        self.id = tkhd.number()
        refuse_unless(self.id in extends and self.id != 0, MALFORMED)
        self.duration, self.size = extends[self.id]
        mdhd = Box(only(trak, b"mdia", b"mdhd"))
        mdhd.skip(16 if mdhd.version == 1 else 8)
        self.timescale = mdhd.number()
        refuse_unless(self.timescale > 0, MALFORMED)
        handler = Box(only(trak, b"mdia", b"hdlr"))
        handler.skip(4)
        self.video = handler.skip(4) == b"vide"
        entries = boxes(only(trak, b"mdia", b"minf", b"stbl", b"stsd")[8:])
        refuse_unless(len(entries) == 1, MALFORMED)
        self.next = 0


def read_init(init):
    tracks, extends = [], {}
    only(init, b"ftyp")
    moov = only(init, b"moov")
    only(moov, b"mvhd")
    for kind, content in boxes(only(moov, b"mvex")):
        if kind == b"trex":
            trex = Box(content)
            number, _, duration, size, _ = (trex.number() for _ in range(5))
            refuse_unless(number not in extends, MALFORMED)
            extends[number] = duration, size
    for kind, content in boxes(moov):
        if kind == b"trak":
            tracks.append(Track(content, extends))
    refuse_unless(len({track.id for track in tracks}) == len(tracks), MALFORMED)
    refuse_unless([track.video for track in tracks].count(True) == 1, MALFORMED)
    return {track.id: track for track in tracks}


def check_plays(opening, fragments):
    tracks = read_init(opening["init"])
    for fragment in fragments:
        parts = boxes(fragment)
        refuse_unless([kind for kind, _ in parts] == [b"moof", b"mdat"], MALFORMED)
        moof, mdat = parts[0][1], parts[1][1]
        Box(only(moof, b"mfhd")).number()
        trafs = [content for kind, content in boxes(moof) if kind == b"traf"]
        budget = {"samples": 65_536, "runs": 1024, "bytes": len(mdat)}
        seen = [read_traf(traf, tracks, len(fragment) - len(mdat), len(fragment), budget, opening) for traf in trafs]
        refuse_unless(seen and len(set(seen)) == len(seen), MALFORMED)


def read_traf(traf, tracks, data_from, data_to, budget, opening):
    """@param data_from, data_to: where in the fragment the mdat's content lies."""
    tfhd = Box(only(traf, b"tfhd"))
    refuse_unless(not tfhd.flags & 1 and tfhd.flags & 0x20000, MALFORMED)
    track = tracks.get(tfhd.number())
    refuse_unless(track is not None, MALFORMED)
    if tfhd.flags & 2:
        tfhd.skip(4)
    duration = tfhd.number() if tfhd.flags & 8 else track.duration
    size = tfhd.number() if tfhd.flags & 16 else track.size
    if tfhd.flags & 32:
        tfhd.skip(4)
    tfdt = Box(only(traf, b"tfdt"))
    decode_time = tfdt.number(8 if tfdt.version == 1 else 4)
    refuse_unless(decode_time <= LARGEST, MALFORMED)
    durations, end = [], None
    for kind, content in boxes(traf):
        if kind == b"trun":
            end = read_trun(Box(content), duration, size, end, data_from, data_to, budget, durations)
    shift = -round(opening["decode_time"] / opening["timescale"] * track.timescale)
    start = max(decode_time + shift, track.next)
    refuse_unless(start <= (LARGEST if tfdt.version == 1 else 2**32 - 1), MALFORMED)
    if durations:
        track.next = start + sum(durations[:-1]) + 1
    return track.id


def read_trun(trun, duration, size, end, data_from, data_to, budget, durations):
    count = trun.number()
    at = trun.number(signed=True) if trun.flags & 1 else end
    refuse_unless(at is not None and at >= data_from, MALFORMED)
    if trun.flags & 4:
        trun.skip(4)
    fields = [flag for flag in (0x100, 0x200, 0x400, 0x800) if trun.flags & flag]
    budget["samples"] -= count
    budget["runs"] -= 1
    refuse_unless(budget["samples"] >= 0 and budget["runs"] >= 0, MALFORMED)
    refuse_unless(count * 4 * len(fields) == len(trun.content) - trun.at, MALFORMED)
    for _ in range(count):
        values = dict(zip(fields, struct.unpack(f">{len(fields)}I", trun.skip(4 * len(fields)))))
        length = values.get(0x200, size)
        budget["bytes"] -= max(length, 1)
        refuse_unless(budget["bytes"] >= 0 and at + length <= data_to, MALFORMED)
        durations.append(values.get(0x100, duration))
        at += length
    return at
