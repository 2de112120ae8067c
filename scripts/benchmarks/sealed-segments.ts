import { randomBytes } from 'node:crypto';
import { toHex } from '../../crypto/bytes.ts';
import { cameraIdOf, DIGEST_LENGTH, PREVIOUS_UNKNOWN } from '../../crypto/header.ts';
import type { DeviceSigner } from '../../crypto/primitives.ts';
import { nodePrimitives as primitives } from '../../crypto/primitives-node.ts';
import { SegmentSealer } from '../../crypto/sealer.ts';
import { beginSession } from '../../crypto/session.ts';

/** What 4 s of 4 Mbit/s come to: fragments of 200 ms. */
const FRAGMENTS = 20;
const FRAGMENT_BYTES = 100_000;
const FRAGMENT_US = 200_000;

export interface SealedSession {
  /** Session id, hexadecimal. */
  readonly id: string;
  readonly header: Uint8Array;
  /** Whole segments, from header to closing record. */
  readonly segments: readonly Buffer[];
}

/** A session of segments of 2 MB, sealed as a camera seals them; there are no pictures in them. */
export async function sealedSession(signer: DeviceSigner, count: number): Promise<SealedSession> {
  const camera = await cameraIdOf(signer.point, primitives);
  const id = randomBytes(16);
  const fields = {
    id,
    number: 1,
    timeMs: Date.now(),
    previousSession: new Uint8Array(DIGEST_LENGTH),
    previousSegments: PREVIOUS_UNKNOWN,
    previousDigest: new Uint8Array(DIGEST_LENGTH),
    policyEpoch: 1,
    policyCounter: 1,
  };
  const { header, hash, secret } = await beginSession(fields, [], signer, primitives);
  const fragment = randomBytes(FRAGMENT_BYTES);
  let previous: Uint8Array | undefined;
  const segments = Array.from({ length: count }, (_, sequence) => {
    const place = { camera, sessionHash: hash, sequence, timeMs: fields.timeMs };
    const sealer = new SegmentSealer(secret, place, primitives, signer);
    const opening = { run: randomBytes(8), timescale: 12_800, decodeTime: 0, codecs: 'avc1.640028' };
    const frames = [sealer.sealOpening({ ...opening, init: randomBytes(700) }).bytes];
    for (let each = 0; each < FRAGMENTS; each++)
      frames.push(sealer.sealFragment(fragment, FRAGMENT_US).bytes);
    frames.push(sealer.close(previous, sequence === count - 1).bytes);
    previous = sealer.digest;
    return Buffer.concat([sealer.header, ...frames]);
  });
  return { id: toHex(id), header, segments };
}
