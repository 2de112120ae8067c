import { createHash } from 'node:crypto';
import { signClosing } from '../../../crypto/closing.ts';
import { cameraIdOf, DIGEST_LENGTH, encodeSegmentHeader, PREVIOUS_UNKNOWN } from '../../../crypto/header.ts';
import { encodeOpeningRecord } from '../../../crypto/opening-record.ts';
import type { DeviceSigner } from '../../../crypto/primitives.ts';
import { nodePrimitives } from '../../../crypto/primitives-node.ts';
import {
  finishRecord,
  RECORD_HEADER_LENGTH,
  RECORD_OVERHEAD,
  RECORD_TYPES,
  type RecordType,
  writeRecordHeader,
} from '../../../crypto/record.ts';
import {
  deriveSegmentKey,
  recordAssociatedData,
  recordNonce,
  type SegmentKey,
} from '../../../crypto/segment-key.ts';

export const START_MS = 1_790_000_000_000;
export const FRAGMENT_US = 200_000;

/** Bytes that are the same in every run, named after what they are for. */
export function seeded(label: string, length: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(
    createHash('shake256', { outputLength: length }).update(`oriel vectors: ${label}`).digest(),
  );
}

export const sessionFields = (number: number) => ({
  id: seeded(`session ${number}`, 16),
  number,
  timeMs: START_MS + number * 600_000,
  previousSession: new Uint8Array(DIGEST_LENGTH),
  previousSegments: PREVIOUS_UNKNOWN,
  previousDigest: new Uint8Array(DIGEST_LENGTH),
  policyEpoch: 1,
  policyCounter: 4,
});

export const opening = {
  run: seeded('run', 8),
  timescale: 12_800,
  decodeTime: 51_200,
  codecs: 'avc1.64001f',
  init: seeded('init', 48),
};

/**
 * Seals a segment by hand, record after record, in whatever order and form a case wants: no sealer of ours would.
 */
export class SegmentByHand {
  readonly header: Uint8Array;
  readonly headerHash: Uint8Array;
  readonly key: SegmentKey;
  readonly signer: DeviceSigner;

  private constructor(header: Uint8Array, secret: Uint8Array, signer: DeviceSigner) {
    this.header = header;
    this.headerHash = nodePrimitives.sha256(header) as Uint8Array;
    this.key = deriveSegmentKey(secret, header, nodePrimitives);
    this.signer = signer;
  }

  static async begin(
    session: { readonly hash: Uint8Array; readonly secret: Uint8Array },
    signer: DeviceSigner,
    sequence: number,
    camera?: Uint8Array,
  ): Promise<SegmentByHand> {
    const header = encodeSegmentHeader({
      camera: camera ?? (await cameraIdOf(signer.point, nodePrimitives)),
      sessionHash: session.hash,
      sequence,
      timeMs: START_MS + sequence * 4000,
    });
    return new SegmentByHand(header, session.secret, signer);
  }

  /** A sealed record's whole frame. */
  seal(type: RecordType, counter: number, durationUs: number, plaintext: Uint8Array): Uint8Array {
    const { crc32, aesGcmSealInto } = nodePrimitives;
    const frame = new Uint8Array(RECORD_OVERHEAD + plaintext.length + 16);
    writeRecordHeader(frame, this.headerHash, counter, durationUs, type, crc32);
    const nonce = recordNonce(this.key.noncePrefix, counter, type === RECORD_TYPES.closing);
    const associated = recordAssociatedData(this.headerHash, frame);
    aesGcmSealInto(this.key.key, nonce, associated, plaintext, frame, RECORD_HEADER_LENGTH);
    return finishRecord(frame, crc32);
  }

  opening(change: Partial<typeof opening> = {}): Uint8Array {
    return this.seal(RECORD_TYPES.opening, 0, 0, encodeOpeningRecord({ ...opening, ...change }));
  }

  fragment(counter: number): Uint8Array {
    return this.seal(RECORD_TYPES.fragment, counter, FRAGMENT_US, this.fragmentPlaintext(counter));
  }

  fragmentPlaintext(counter: number): Uint8Array {
    return seeded(`fragment ${counter}`, 20 + counter);
  }

  /** The running digest after these records. */
  digest(frames: readonly Uint8Array[]): Uint8Array {
    return frames.reduce<Uint8Array>(
      (digest, frame) => nodePrimitives.sha256(digest, frame) as Uint8Array,
      this.headerHash,
    );
  }

  /** The closing record after these records, with what it states changed as wanted. */
  closing(
    frames: readonly Uint8Array[],
    change: Partial<Parameters<typeof signClosing>[0]> = {},
    signer = this.signer,
  ) {
    const closing = {
      records: frames.length,
      durationUs: Math.max(0, frames.length - 1) * FRAGMENT_US,
      digest: this.digest(frames),
      previousDigest: new Uint8Array(DIGEST_LENGTH),
      final: false,
      ...change,
    };
    return this.sealClosing(frames.length, signClosing(closing, this.headerHash, signer));
  }

  sealClosing(counter: number, plaintext: Uint8Array): Uint8Array {
    return this.seal(RECORD_TYPES.closing, counter, 0, plaintext);
  }

  bytes(frames: readonly Uint8Array[]): Uint8Array {
    return Buffer.concat([this.header, ...frames]);
  }
}
