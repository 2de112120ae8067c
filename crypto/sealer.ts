import { CLOSING_LENGTH, type Closing, signClosing } from './closing.ts';
import { CryptoError } from './errors.ts';
import { DIGEST_LENGTH, encodeSegmentHeader, type SegmentHeader } from './header.ts';
import { encodeOpeningRecord, type OpeningRecord } from './opening-record.ts';
import type { DeviceSigner, SealingPrimitives } from './primitives.ts';
import {
  finishRecord,
  MARK_COUNTER,
  MAX_RECORD_LENGTH,
  RECORD_HEADER_LENGTH,
  RECORD_OVERHEAD,
  RECORD_TYPES,
  type RecordType,
  writeRecordHeader,
} from './record.ts';
import { deriveSegmentKey, recordAssociatedData, recordNonce, type SegmentKey } from './segment-key.ts';

const TAG_LENGTH = 16;
/** The longest plaintext that fits a record, bytes. */
export const MAX_PLAINTEXT_LENGTH = MAX_RECORD_LENGTH - RECORD_OVERHEAD - TAG_LENGTH;

/** A record as it leaves the sealer. */
export interface SealedFrame {
  readonly bytes: Uint8Array;
  readonly durationUs: number;
  /** The segment's running digest after this record. */
  readonly digest: Uint8Array;
}

/**
 * Seals one segment, record by record. A counter is consumed before its record is sealed, and whatever fails
 * ends the segment, so that no nonce is used twice under its key (docs/reference/format.md, "Sealing").
 */
export class SegmentSealer {
  /** The segment header's bytes. */
  readonly header: Uint8Array;
  readonly headerHash: Uint8Array;
  readonly #primitives: SealingPrimitives;
  readonly #signer: DeviceSigner;
  #key: SegmentKey | undefined;
  #counter = 0;
  #durationUs = 0;
  #digest: Uint8Array;

  constructor(
    secret: Uint8Array,
    header: SegmentHeader,
    primitives: SealingPrimitives,
    signer: DeviceSigner,
  ) {
    this.header = encodeSegmentHeader(header);
    this.headerHash = primitives.sha256(this.header);
    this.#digest = this.headerHash;
    this.#primitives = primitives;
    this.#signer = signer;
    this.#key = deriveSegmentKey(secret, this.header, primitives);
  }

  get digest(): Uint8Array {
    return this.#digest;
  }

  get durationUs(): number {
    return this.#durationUs;
  }

  /** Seals record 0. @throws RangeError when its codec strings are too long: nothing is sealed then. */
  sealOpening(opening: OpeningRecord): SealedFrame {
    if (this.#counter !== 0) throw this.#end('the opening record comes first');
    return this.#seal(RECORD_TYPES.opening, encodeOpeningRecord(opening), 0);
  }

  /** Seals one fragment (`moof` and `mdat`). @param durationUs duration of its video samples. */
  sealFragment(fragment: Uint8Array, durationUs: number): SealedFrame {
    if (this.#counter === 0) throw this.#end('the opening record comes first');
    return this.#seal(RECORD_TYPES.fragment, fragment, durationUs);
  }

  /** Seals the closing record; nothing can follow it. */
  close(previousDigest: Uint8Array | undefined, final: boolean): SealedFrame {
    const closing = {
      records: this.#counter,
      durationUs: this.#durationUs,
      digest: this.#digest,
      previousDigest: previousDigest ?? new Uint8Array(DIGEST_LENGTH),
      final,
    };
    const plaintext = this.#sign(closing);
    const end = this.#digest;
    const frame = this.#seal(RECORD_TYPES.closing, plaintext, 0);
    this.#digest = end;
    this.#forgetKey();
    return { ...frame, digest: end };
  }

  /** Ends the segment without a closing record. */
  abandon(): void {
    this.#forgetKey();
  }

  #sign(closing: Closing): Uint8Array {
    let plaintext: Uint8Array;
    try {
      plaintext = signClosing(closing, this.headerHash, this.#signer);
    } catch (cause) {
      throw this.#end('the signer failed', cause);
    }
    if (plaintext.length === CLOSING_LENGTH) return plaintext;
    throw this.#end('the signer gave a signature of another length');
  }

  #seal(type: RecordType, plaintext: Uint8Array, durationUs: number): SealedFrame {
    const key = this.#key;
    if (key === undefined) throw new CryptoError('SEALER_ENDED', 'this segment is sealed to its end');
    if (plaintext.length > MAX_PLAINTEXT_LENGTH) throw this.#end('the plaintext is too long for a record');
    const counter = this.#counter++;
    if (counter >= MARK_COUNTER) throw this.#end('the counter is used up');
    try {
      const { crc32, aesGcmSealInto, sha256 } = this.#primitives;
      const frame = new Uint8Array(RECORD_OVERHEAD + plaintext.length + TAG_LENGTH);
      writeRecordHeader(frame, this.headerHash, counter, durationUs, type, crc32);
      const associated = recordAssociatedData(this.headerHash, frame);
      const nonce = recordNonce(key.noncePrefix, counter, type === RECORD_TYPES.closing);
      aesGcmSealInto(key.key, nonce, associated, plaintext, frame, RECORD_HEADER_LENGTH);
      finishRecord(frame, crc32);
      this.#durationUs += durationUs;
      this.#digest = sha256(this.#digest, frame);
      return { bytes: frame, durationUs, digest: this.#digest };
    } catch (cause) {
      throw this.#end('sealing failed', cause);
    }
  }

  #end(what: string, cause?: unknown): CryptoError {
    this.#forgetKey();
    return new CryptoError('SEALER_ENDED', `segment sealer: ${what}`, cause);
  }

  #forgetKey(): void {
    this.#key?.key.fill(0);
    this.#key = undefined;
  }
}
