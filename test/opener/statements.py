"""Setup codes, pairing statements, pin statements and update reports, as docs/reference/format.md gives them."""

import hmac
import re
import struct

from footage import LARGEST, id_text, refuse_unless
from primitives import Refused, base64url, ecdsa_fits, ed25519_fits, from_base64url, hkdf, sha256


class Fields:
    """Fields one after the other; what goes past the end is refused."""

    def __init__(self, data, code):
        self.data, self.at, self.code = data, 0, code

    def raw(self, length):
        refuse_unless(self.at + length <= len(self.data), self.code)
        self.at += length
        return self.data[self.at - length : self.at]

    def number(self, length):
        value = int.from_bytes(self.raw(length), "big")
        refuse_unless(value <= LARGEST, self.code)
        return value

    def counted(self):
        return self.raw(self.number(1))

    def text(self):
        try:
            return self.counted().decode()
        except UnicodeDecodeError:
            raise Refused(self.code) from None

    def end(self):
        refuse_unless(self.at == len(self.data), self.code)


LABEL = "[a-z0-9]([a-z0-9-]*[a-z0-9])?"
ORIGIN = re.compile(rf"https://({LABEL}(\.{LABEL})*|\[[0-9a-f:]+\])(:(?P<port>[1-9][0-9]{{0,4}}))?")


def origin_of(fields):
    """As in RFC 6454 section 6.2: nothing but the host and a port that is not the usual one."""
    text = fields.text()
    match = ORIGIN.fullmatch(text)
    port = match and match["port"]
    refuse_unless(match and len(text) <= 250 and (port is None or int(port) <= 65535 and port != "443"), fields.code)
    return text


# Setup code


def read_setup_code(text):
    refuse_unless(len(text) <= 1000, "SETUP_CODE_MALFORMED")
    text = text.strip()
    if not text.startswith("oriel1:"):
        raise Refused("SETUP_CODE_VERSION" if re.match(r"oriel[0-9]{1,3}:", text) else "SETUP_CODE_MALFORMED")
    data = from_base64url(text[7:])
    refuse_unless(data is not None and len(data) > 4 and sha256(data[:-4])[:4] == data[-4:], "SETUP_CODE_CORRUPT")
    refuse_unless(data[0] == 1, "SETUP_CODE_VERSION")
    fields = Fields(data[1:-4], "SETUP_CODE_MALFORMED")
    code = {
        "expires": fields.number(4),
        "owner": fields.raw(32),
        "secret": fields.raw(16),
        "activePin": fields.raw(32),
        "backupPin": fields.raw(32),
        "origin": origin_of(fields),
    }
    refuse_unless(any(code["activePin"]), fields.code)
    if fields.at < len(fields.data):
        ssid, passphrase = fields.text(), fields.text()
        named = 1 <= len(ssid.encode()) <= 32 and not re.search("[\x00-\x1f\x7f-\x9f]", ssid)
        refuse_unless(named and re.fullmatch("([ -~]{8,63})?", passphrase), fields.code)
        fields.end()
        code["wifi"] = {"ssid": ssid, "passphrase": passphrase}
    code["claimToken"] = hkdf(code["secret"], b"oriel/1 claim token\0", 16)
    code["proofKey"] = hkdf(code["secret"], b"oriel/1 pairing proof\0", 32)
    claim = sha256(code["claimToken"]) + struct.pack(">I", code["expires"]) + code["owner"]
    code["claim"] = "claim:" + base64url(claim)
    return code


def read_pairing_statement(data, code):
    """Whether it fits a setup code that its owner handed out."""
    fields = Fields(data, "DOCUMENT_MALFORMED")
    point = fields.raw(65)
    stated = {
        "owner": fields.raw(32),
        "activePin": fields.raw(32),
        "backupPin": fields.raw(32),
        "expires": fields.number(4),
        "origin": fields.text(),
    }
    tag, signature = fields.raw(32), fields.raw(64)
    fields.end()
    forged = "PAIRING_FORGED"
    refuse_unless(ecdsa_fits(point, b"oriel/1 pairing statement\0" + data[:-64], signature), forged)
    refuse_unless(hmac.digest(code["proofKey"], b"oriel/1 pairing\0" + data[:-96], "sha256") == tag, forged)
    refuse_unless(all(code[name] == value for name, value in stated.items()), forged)
    return {"point": point}


# Pin statement


def read_pins(data, camera, owner, epoch, obeyed):
    """@param obeyed: the bytes of the statement obeyed last, or None."""
    statement = parse_pins(data)
    refuse_unless(ed25519_fits(owner, b"oriel/1 pin statement\0" + data[:-64], data[-64:]), "PINS_FORGED")
    refuse_unless(statement["camera"] == camera, "PINS_FOREIGN")
    refuse_unless(statement["epoch"] == epoch, "PINS_EPOCH")
    counter = parse_pins(obeyed)["counter"] if obeyed else -1
    refuse_unless(statement["counter"] >= counter, "PINS_REPLAYED")
    refuse_unless(statement["counter"] > counter or data == obeyed, "PINS_CONFLICT")
    return {**statement, "verdict": "same" if data == obeyed else "new"}


def parse_pins(data):
    fields = Fields(data, "PINS_MALFORMED")
    refuse_unless(fields.raw(5) == b"ORLP\x01", fields.code)
    statement = {
        "camera": id_text(fields.raw(20)),
        "epoch": fields.number(4),
        "counter": fields.number(8),
        "activePin": fields.raw(32),
        "backupPin": fields.raw(32),
        "origin": origin_of(fields),
    }
    fields.raw(64)
    fields.end()
    refuse_unless(any(statement["activePin"]) and statement["activePin"] != statement["backupPin"], fields.code)
    return statement


# Update report

EVENTS = ("confirmed", "returned", "refused", "altered", "recovered")


def read_report(data, point):
    fields = Fields(data, "DOCUMENT_MALFORMED")
    refuse_unless(fields.raw(5) == b"ORLU\x01", fields.code)
    camera = id_text(fields.raw(20))
    number, time_ms, event, slot, counter = (fields.number(length) for length in (8, 8, 1, 1, 4))
    version, code = fields.text(), fields.text()
    fields.raw(64)
    fields.end()
    refuse_unless(1 <= event <= len(EVENTS) and slot <= 1, fields.code)
    refuse_unless(re.fullmatch("[0-9A-Za-z.-]{0,64}", version) and re.fullmatch("[A-Z_]{0,40}", code), fields.code)
    refuse_unless(ecdsa_fits(point, b"oriel/1 update report\0" + data[:-64], data[-64:]), "DOCUMENT_FORGED")
    return {
        "camera": camera,
        "number": number,
        "timeMs": time_ms,
        "event": EVENTS[event - 1],
        "slot": "ab"[slot],
        "counter": counter,
        "version": version,
        "code": code,
    }
