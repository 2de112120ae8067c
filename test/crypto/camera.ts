import { generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import { cameraIdOf, DIGEST_LENGTH, PREVIOUS_UNKNOWN, readSessionHeader } from '../../crypto/header.ts';
import type { OpenedSession } from '../../crypto/opener.ts';
import type { DeviceSigner } from '../../crypto/primitives.ts';
import { nodePrimitives } from '../../crypto/primitives-node.ts';
import { type SealedFrame, SegmentSealer } from '../../crypto/sealer.ts';
import { type BegunSession, beginSession, openSession, type Recipient } from '../../crypto/session.ts';
import { dayKeyHolder, makeViewingKey } from '../../crypto/viewing-key.ts';

/** A device key like a camera's own. */
export function makeSigner(): DeviceSigner {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const point = publicKey.export({ format: 'der', type: 'spki' }).subarray(-65);
  return {
    point,
    sign: (message) => sign('sha256', message, { key: privateKey, dsaEncoding: 'ieee-p1363' }),
  };
}

/** One camera and one viewer of it, with a session between them that both ends hold. */
export async function makeSessionPair() {
  const signer = makeSigner();
  const viewingKey = await makeViewingKey('test', new Uint8Array(randomBytes(32)), 2);
  const holder = await dayKeyHolder(viewingKey, nodePrimitives);
  const day = viewingKey.dayKeys[1];
  if (day === undefined) throw new Error('no day key');
  const recipient: Recipient = { viewer: holder.viewer, dayKey: day.number, publicKey: day.publicKey };
  const begun = await beginSession(sessionFields(), [recipient], signer, nodePrimitives);
  return { signer, viewingKey, holder, recipient, begun, opened: await reopen(begun, holder) };
}

export function sessionFields(number = 7) {
  return {
    id: randomBytes(16),
    number,
    timeMs: 1_790_000_000_000,
    previousSession: new Uint8Array(DIGEST_LENGTH),
    previousSegments: PREVIOUS_UNKNOWN,
    previousDigest: new Uint8Array(DIGEST_LENGTH),
    policyEpoch: 1,
    policyCounter: 3,
  };
}

async function reopen(
  begun: BegunSession,
  holder: Parameters<typeof openSession>[1],
): Promise<OpenedSession> {
  const header = await readSessionHeader(begun.header, nodePrimitives);
  return { header, secret: await openSession(header, holder) };
}

/** A sealed segment: its sealer and its frames, opening record and closing record included. */
export async function sealSegment(
  begun: BegunSession,
  signer: DeviceSigner,
  fragments: readonly Uint8Array[],
  sequence = 0,
  previousDigest?: Uint8Array,
) {
  const camera = await cameraIdOf(signer.point, nodePrimitives);
  const header = { camera, sessionHash: begun.hash, sequence, timeMs: 1_790_000_000_500 };
  const sealer = new SegmentSealer(begun.secret, header, nodePrimitives, signer);
  const frames: SealedFrame[] = [
    sealer.sealOpening({
      run: randomBytes(8),
      timescale: 12_800,
      decodeTime: 25_600,
      codecs: 'avc1.64001f',
      init: randomBytes(700),
    }),
    ...fragments.map((fragment) => sealer.sealFragment(fragment, 200_000)),
    sealer.close(previousDigest, false),
  ];
  return { sealer, frames, bytes: joined(sealer.header, frames) };
}

export function joined(header: Uint8Array, frames: readonly { readonly bytes: Uint8Array }[]): Uint8Array {
  return Buffer.concat([header, ...frames.map((frame) => frame.bytes)]);
}
