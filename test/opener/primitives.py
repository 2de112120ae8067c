"""What the format stands on: the standards' primitives, and HPKE by hand (RFC 9180, base mode, suite 1)."""

import base64
import hashlib
import hmac
import struct

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat


class Refused(Exception):
    """Refused, by a code of docs/reference/format.md."""

    def __init__(self, code):
        super().__init__(code)
        self.code = code


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def from_base64url(text):
    """The bytes; None for any spelling but the canonical one."""
    try:
        data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        return None
    return data if base64url(data) == text else None


def base32(data):
    return base64.b32encode(data).decode().lower().rstrip("=")


# HKDF, RFC 5869.


def extract(salt, ikm):
    return hmac.digest(salt or bytes(32), ikm, "sha256")


def expand(prk, info, length):
    block, out = b"", b""
    while len(out) < length:
        block = hmac.digest(prk, block + info + bytes([len(out) // 32 + 1]), "sha256")
        out += block
    return out[:length]


def hkdf(ikm, info, length):
    return expand(extract(b"", ikm), info, length)


def aes_gcm_open(key, nonce, aad, sealed):
    """The plaintext; None when the tag does not fit."""
    try:
        return AESGCM(key).decrypt(nonce, sealed, aad) if len(sealed) >= 16 else None
    except InvalidTag:
        return None


def ecdsa_fits(point, message, signature):
    """ECDSA on P-256 with SHA-256; the signature is r and s, 32 bytes each, the point uncompressed."""
    if len(point) != 65 or point[0] != 4:
        return False
    r, s = (int.from_bytes(half, "big") for half in (signature[:32], signature[32:]))
    try:
        key = EllipticCurvePublicKey.from_encoded_point(SECP256R1(), point)
        key.verify(encode_dss_signature(r, s), message, ECDSA(SHA256()))
        return True
    except (InvalidSignature, ValueError):
        return False


# The points of small order by their y (RFC 8032 section 5.1.2), without the sign of x.
ED25519_P = 2**255 - 19
ED25519_SMALL = {
    0,
    1,
    ED25519_P - 1,
    int.from_bytes(bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"), "little"),
    int.from_bytes(bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"), "little"),
}


def ed25519_fits(identity, message, signature):
    for point in (identity, signature[:32]):
        y = int.from_bytes(point, "little") & (2**255 - 1)
        if y >= ED25519_P or y in ED25519_SMALL:
            return False
    try:
        Ed25519PublicKey.from_public_bytes(identity).verify(signature, message)
        return True
    except (InvalidSignature, ValueError):
        return False


def identity_of(seed):
    """The public identity of an Ed25519 seed."""
    return raw(Ed25519PrivateKey.from_private_bytes(seed).public_key())


def raw(public_key):
    return public_key.public_bytes(Encoding.Raw, PublicFormat.Raw)


# HPKE, RFC 9180: DHKEM(X25519, HKDF-SHA256) 0x0020, HKDF-SHA256 0x0001, AES-128-GCM 0x0001.

KEM = b"KEM" + struct.pack(">H", 0x20)
HPKE = b"HPKE" + struct.pack(">HHH", 0x20, 1, 1)


def labeled_extract(suite, salt, label, ikm):
    return extract(salt, b"HPKE-v1" + suite + label + ikm)


def labeled_expand(suite, prk, label, info, length):
    return expand(prk, struct.pack(">H", length) + b"HPKE-v1" + suite + label + info, length)


def hpke_open(private_key, enc, info, aad, sealed):
    """OpenBase (sections 4.1, 5.1 and 5.2): the plaintext; None when it does not open."""
    own = X25519PrivateKey.from_private_bytes(private_key)
    try:
        shared = own.exchange(X25519PublicKey.from_public_bytes(enc))
    except ValueError:  # a point of low order
        return None
    eae = labeled_extract(KEM, b"", b"eae_prk", shared)
    secret = labeled_expand(KEM, eae, b"shared_secret", enc + raw(own.public_key()), 32)
    context = (
        b"\x00"  # mode_base
        + labeled_extract(HPKE, b"", b"psk_id_hash", b"")
        + labeled_extract(HPKE, b"", b"info_hash", info)
    )
    prk = labeled_extract(HPKE, secret, b"secret", b"")
    key = labeled_expand(HPKE, prk, b"key", context, 16)
    nonce = labeled_expand(HPKE, prk, b"base_nonce", context, 12)
    return aes_gcm_open(key, nonce, aad, sealed)
