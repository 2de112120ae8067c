"""A footage directory: what `oriel footage verify` has to say of it (docs/reference/format.md, "What an opener answers")."""

import os
import re
import stat

from footage import UNKNOWN, ZEROS, Segment, Session, Snapshot, check_chain, id_text, refuse_unless
from media import check_plays
from primitives import Refused

CAMERA = re.compile("[a-z2-7]{32}")
SESSION = re.compile("([0-9]{12,16})-([0-9a-f]{32})")
SEGMENT = re.compile("([0-9]{6})[.]oriel")
SNAPSHOT = re.compile("snapshot-([0-9]{6})[.]oriel")


def read_file(path, longest):
    """Section "Files"."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError:
        raise Refused("FILE_UNREADABLE") from None
    with open(file, "rb") as stream:
        status = os.fstat(file)
        refuse_unless(stat.S_ISREG(status.st_mode) and status.st_size <= longest, "FILE_UNREADABLE")
        return stream.read()


def gaps(first, last, present):
    """The numbers from first to last that are not present, as ranges."""
    found = []
    for number in sorted({number for number in present if first <= number <= last} | {last + 1}):
        if number > first:
            found.append((first, number - 1))
        first = number + 1
    return found


class Place:
    """A session's directory, and what its header lets one know of it."""

    def __init__(self, path, camera, key):
        self.path, self.camera = path, camera
        number, self.id = SESSION.fullmatch(os.path.basename(path)).groups()
        self.number = int(number)
        names = os.listdir(path)
        self.segments = numbered(path, names, SEGMENT)
        self.snapshots = numbered(path, names, SNAPSHOT)
        self.header = self.code = None
        try:
            self.header = self.read_header(key)
            self.header.open(key)
        except Refused as refused:
            self.code = refused.code

    def read_header(self, key):
        refuse_unless(self.camera in key.cameras, "CAMERA_FOREIGN")
        path = os.path.join(self.path, "session")
        refuse_unless(os.path.exists(path), "SESSION_MISSING")
        header = Session(read_file(path, 186 + 32 * 104 + 64))
        refuse_unless(id_text(header.camera) == self.camera, "CAMERA_FOREIGN")
        name = f"{header.number:012d}-{header.id.hex()}"
        refuse_unless(name == os.path.basename(self.path), "CHAIN_BROKEN")
        return header


def numbered(path, names, form):
    matches = [(form.fullmatch(name), name) for name in names]
    return sorted((int(match[1]), os.path.join(path, name)) for match, name in matches if match)


def verify(root, key):
    """@returns a list of lines: segments, and sessions and segments that are missing; and what there is of snapshots."""
    lines, snapshots = [], {"absent": [], "refused": []}
    for camera in sorted(name for name in os.listdir(root) if CAMERA.fullmatch(name)):
        directory = os.path.join(root, camera)
        names = [name for name in os.listdir(directory) if SESSION.fullmatch(name)]
        paths = filter(os.path.isdir, (os.path.join(directory, name) for name in names))
        places = sorted((Place(path, camera, key) for path in paths), key=lambda place: (place.number, place.path))
        verify_camera(places, lines, snapshots)
    return {"lines": lines, "snapshots": snapshots}


def verify_camera(places, lines, snapshots):
    known = [place for place in places if place.header]
    hashes, before = set(), None
    for place in places:
        header = place.header
        following = next((other.header for other in known[known.index(place) + 1 :]), None) if header else None
        end = stated_end(header, following)
        if header:
            if before and before.number == header.number - 1 and header.previous not in hashes:
                place.code = "CHAIN_BROKEN"
            before = header
            hashes.add(header.hash)
        if place.code is None:
            verify_session(place, end, lines)
            verify_snapshots(place, snapshots)
        else:
            for sequence, _ in place.segments or [(0, None)]:
                lines.append({"session": place.id, "sequence": sequence, "verdict": "refused", "code": place.code})
            if end:
                lines.extend(missing(place, 0, end[0]))
        if following:
            between = [other.number for other in places if not other.header]
            for first, last in gaps(header.number + 1, following.number - 1, between):
                words = f"session {first}" if first == last else f"sessions {first} to {last}"
                lines.append({"session": words, "sequence": 0, "verdict": "missing", "count": last - first + 1})


def stated_end(header, following):
    """How a session ended: its number of segments and the last digest, None where the next does not state it."""
    if not following or following.previous != header.hash or following.previous_segments == UNKNOWN:
        return None
    return following.previous_segments, following.previous_digest


def missing(place, first, end):
    present = [sequence for sequence, _ in place.segments]
    return [
        {"session": place.id, "sequence": first, "verdict": "missing", "count": last - first + 1}
        for first, last in gaps(first, end - 1, present)
    ]


def verify_session(place, end, lines):
    expected, final, last = 0, None, None
    for sequence, path in place.segments:
        line = {"session": place.id, "sequence": sequence}
        try:
            segment = Segment(read_file(path, 300 * 1024 * 1024), place.header)
            refuse_unless(segment.sequence == sequence, "SEGMENT_FOREIGN")
            check_end(segment, final, end)
            if last and last.sequence == sequence - 1:
                check_chain(last, segment)
            lines.extend(missing(place, expected, sequence))
            last, expected = segment, sequence + 1
            if segment.closing and segment.closing["final"]:
                final = segment
            if segment.opening:
                check_plays(segment.opening, [content for content, _ in segment.fragments])
            size = sum(len(content) for content, _ in segment.fragments)
            line.update(verdict=segment.verdict, records=segment.records, bytes=size)
            if segment.mark:
                line.update(marked=segment.mark["kind"], vouchedRecords=segment.mark["records"])
        except Refused as refused:
            line.update(verdict="refused", code=refused.code)
        lines.append(line)
    lines.extend(missing(place, expected, end[0] if end else 1))
    if end is None and last and last.closing and not last.closing["final"]:
        lines.append({"session": place.id, "sequence": expected, "verdict": "open"})


def check_end(segment, final, end):
    """Section "Chain of segments": nothing follows the end."""
    refuse_unless(final is None, "CHAIN_BROKEN")
    if end is None:
        return
    refuse_unless(segment.sequence < end[0], "CHAIN_BROKEN")
    if segment.sequence == end[0] - 1 and segment.closing and end[1] != ZEROS:
        refuse_unless(segment.digest == end[1], "CHAIN_BROKEN")


def verify_snapshots(place, snapshots):
    numbers = []
    for number, path in place.snapshots:
        try:
            snapshot = Snapshot(read_file(path, 72 + 17 * 4096 + 16 + 64), place.header)
            refuse_unless(snapshot.number == number, "SNAPSHOT_FOREIGN")
            numbers.append(number)
        except Refused as refused:
            snapshots["refused"].append({"file": os.path.basename(path), "code": refused.code})
    if numbers:
        present = [number for number, _ in place.snapshots]
        absent = gaps(0, max(numbers) - 1, present)
        snapshots["absent"].extend({"session": place.id, "first": first, "last": last} for first, last in absent)
