/** Every reason for which bytes, keys or statements are refused. Closed: a caller may switch over it. */
export type CryptoErrorCode =
  /** Not the magic, version, suite or shape that docs/reference/format.md gives. */
  | 'HEADER_MALFORMED'
  /** The session header's signature does not fit the device key it names. */
  | 'SESSION_FORGED'
  /** No wrap of the session header is addressed to a day key at hand. */
  | 'SESSION_KEY_MISSING'
  /** A wrap is addressed to a day key at hand but does not open with it. */
  | 'SESSION_WRAP_FORGED'
  /** The segment header names another session than the one it lies with, or another place in it. */
  | 'SEGMENT_FOREIGN'
  /** A frame's length, type or duration is not as docs/reference/format.md gives it for its place; an opening record is not as it has to be. */
  | 'RECORD_MALFORMED'
  /** A frame's checksum does not fit its bytes. */
  | 'RECORD_CORRUPT'
  /** Records were removed, repeated, swapped or taken from another segment. */
  | 'RECORD_MISPLACED'
  /** The authentication tag does not fit: made or altered by somebody without the key. */
  | 'RECORD_FORGED'
  /** Bytes follow the end of the segment. */
  | 'RECORD_TRAILING'
  /** The closing record's signature, count or digest does not fit the records before it. */
  | 'CLOSING_FORGED'
  /** The mark's signature or digest does not fit. */
  | 'MARK_FORGED'
  /** A segment or session does not follow the one before it, or lies where another belongs. */
  | 'CHAIN_BROKEN'
  /** A snapshot's length, or the padding of its picture, is not as docs/reference/format.md gives it. */
  | 'SNAPSHOT_MALFORMED'
  /** The snapshot names another session than the one it lies with, or another number than its file. */
  | 'SNAPSHOT_FOREIGN'
  /** A snapshot's signature or tag does not fit. */
  | 'SNAPSHOT_FORGED'
  /** The camera is not one that this viewer trusts, the bytes lie under another camera's name, or a segment's is not its session's. */
  | 'CAMERA_FOREIGN'
  /** A signed document is not of the shape or type expected. */
  | 'DOCUMENT_MALFORMED'
  /** A signed document's signature is missing, from another key, or does not fit. */
  | 'DOCUMENT_FORGED'
  /** A policy file lacks a batch of day keys that its policy names. */
  | 'DAY_KEYS_MISSING'
  /** A policy file holds a batch of day keys that its policy does not name. */
  | 'DAY_KEYS_UNNAMED'
  /** No viewer of a policy has a day key at or above its floor. */
  | 'DAY_KEYS_BELOW_FLOOR'
  /** A text is no setup code: not its form. */
  | 'SETUP_CODE_MALFORMED'
  /** A setup code's check does not fit: a bit was flipped, a character lost. */
  | 'SETUP_CODE_CORRUPT'
  /** A setup code of another version. */
  | 'SETUP_CODE_VERSION'
  /** No setup code of this viewing key fits the pairing statement. */
  | 'PAIRING_UNKNOWN'
  /** The setup code of a pairing statement expired before its owner accepted it. */
  | 'PAIRING_EXPIRED'
  /** Another camera was accepted with the same setup code. */
  | 'PAIRING_USED'
  /** A pairing statement's tag or signature does not fit, or its terms are not those of the setup code. */
  | 'PAIRING_FORGED'
  /** Bytes are no pin statement. */
  | 'PINS_MALFORMED'
  /** A pin statement's signature is not by the owner expected, or does not fit. */
  | 'PINS_FORGED'
  /** A pin statement is another camera's. */
  | 'PINS_FOREIGN'
  /** A pin statement is of another pairing than the camera's. */
  | 'PINS_EPOCH'
  /** A pin statement is older than the one obeyed. */
  | 'PINS_REPLAYED'
  /** A pin statement has the number of the one obeyed, and is another. */
  | 'PINS_CONFLICT'
  /** A key or identifier is not of the right length or form. */
  | 'KEY_MALFORMED'
  /** The sealer has sealed its last record, or failed: it never seals again. */
  | 'SEALER_ENDED';

/** A refusal by this room. The message never holds a secret; `cause` is what the primitive said. */
export class CryptoError extends Error {
  override readonly name = 'CryptoError';
  readonly code: CryptoErrorCode;

  constructor(code: CryptoErrorCode, message: string, cause?: unknown) {
    super(message, { cause });
    this.code = code;
  }
}
