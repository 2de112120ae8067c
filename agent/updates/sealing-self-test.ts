import { equal } from '../../crypto/bytes.ts';
import {
  DIGEST_LENGTH,
  ID_LENGTH,
  PREVIOUS_UNKNOWN,
  readSessionHeader,
  SESSION_ID_LENGTH,
} from '../../crypto/header.ts';
import { openSegment } from '../../crypto/opener.ts';
import { nodePrimitives } from '../../crypto/primitives-node.ts';
import { SegmentSealer } from '../../crypto/sealer.ts';
import { beginSession, makeDayKey, openSession } from '../../crypto/session.ts';
import type { DeviceKey } from '../state/device-key.ts';

const FRAGMENT_BYTES = 64 * 1024;

/**
 * Seals a segment of random bytes, as footage is sealed, to a key that is thrown away, and opens it as its owner
 * would. @returns whether what came out is what went in.
 */
export async function sealingSelfTest({ signer, cameraId }: DeviceKey): Promise<boolean> {
  const primitives = nodePrimitives;
  const { privateKey, publicKey } = await makeDayKey();
  const viewer = primitives.random(ID_LENGTH);
  const fields = {
    id: primitives.random(SESSION_ID_LENGTH),
    number: 1,
    timeMs: 0,
    previousSession: new Uint8Array(DIGEST_LENGTH),
    previousSegments: PREVIOUS_UNKNOWN,
    previousDigest: new Uint8Array(DIGEST_LENGTH),
    policyEpoch: 1,
    policyCounter: 1,
  };
  const begun = await beginSession(fields, [{ viewer, dayKey: 1, publicKey }], signer, primitives);
  const sealer = new SegmentSealer(
    begun.secret,
    { camera: cameraId, sessionHash: begun.hash, sequence: 0, timeMs: 0 },
    primitives,
    signer,
  );
  const fragment = primitives.random(FRAGMENT_BYTES);
  const opening = { run: primitives.random(8), timescale: 1000, decodeTime: 0, codecs: 'avc1.64001f' };
  const frames = [
    sealer.sealOpening({ ...opening, init: primitives.random(64) }),
    sealer.sealFragment(fragment, 1000),
    sealer.close(undefined, false),
  ];
  const sealed = Buffer.concat([sealer.header, ...frames.map(({ bytes }) => bytes)]);
  const header = await readSessionHeader(begun.header, primitives);
  const secret = await openSession(header, { viewer, dayKey: () => privateKey });
  const opened = await openSegment(sealed, { header, secret }, primitives);
  return opened.verdict === 'complete' && equal(opened.fragments[0]?.bytes ?? new Uint8Array(), fragment);
}
