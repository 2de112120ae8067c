import { toBase64Url } from '../../../crypto/bytes.ts';
import { ed25519FromSeed } from '../../../crypto/curves.ts';
import { cameraIdOf, idText } from '../../../crypto/header.ts';
import { nodePrimitives } from '../../../crypto/primitives-node.ts';
import { beginSession } from '../../../crypto/session.ts';
import { dayKeyHolder, makeViewingKey, writeViewingKey } from '../../../crypto/viewing-key.ts';
import { makeSigner } from '../../crypto/camera.ts';
import { acceptedSegments } from './accepted.ts';
import { SegmentByHand, seeded, sessionFields } from './camera.ts';
import { refusedChains, refusedSegments, refusedSessions } from './refused.ts';
import type { FormatVectors } from './vectors.ts';

const DAY_KEYS = 3;
const DAY_KEY = 1;

const ABOUT = [
  'Vectors of the format that docs/format.md gives, version 1. Byte strings are base64url without padding.',
  'An opener has to give exactly what the accepted ones say, and to refuse the others with their code.',
  'The keys were made for this file and are used nowhere else.',
].join(' ');

/** Makes every vector, under keys made for the occasion. */
export async function makeVectors(): Promise<FormatVectors> {
  const signer = makeSigner();
  const camera = idText(await cameraIdOf(signer.point, nodePrimitives));
  const key = await makeViewingKey('vectors', seeded('identity', 32), DAY_KEYS);
  const viewingKey = { ...key, cameras: [{ id: camera, name: 'vectors', epoch: 1, counter: 4 }] };
  const { viewer } = await dayKeyHolder(key, nodePrimitives);
  const day = key.dayKeys[DAY_KEY];
  if (day === undefined) throw new RangeError('no day key');
  const own = { viewer, dayKey: day.number, publicKey: day.publicKey };
  const strangerViewer = ed25519FromSeed(seeded('another identity', 32)).publicKey.slice(0, 20);
  const stranger = { viewer: strangerViewer, dayKey: 7, publicKey: day.publicKey };

  const first = await beginSession(sessionFields(1), [stranger, own], signer, nodePrimitives);
  const second = await beginSession(
    { ...sessionFields(2), previousSession: first.hash },
    [own],
    signer,
    nodePrimitives,
  );
  const begin = (sequence: number) => SegmentByHand.begin(first, signer, sequence);
  const segment = await begin(0);
  const beside = await begin(1);
  const elsewhere = await SegmentByHand.begin(second, signer, 0);
  const otherCamera = await SegmentByHand.begin(first, signer, 0, seeded('another camera', 20));
  const other = makeSigner();

  return {
    about: ABOUT,
    viewingKey: JSON.parse(writeViewingKey(viewingKey)),
    camera,
    sessions: [first, second].map((session, index) => ({
      name: `session ${index + 1}`,
      bytes: toBase64Url(session.header),
      id: toBase64Url(sessionFields(index + 1).id),
      number: index + 1,
      timeMs: sessionFields(index + 1).timeMs,
      dayKey: own.dayKey,
      hash: toBase64Url(session.hash),
      secret: toBase64Url(session.secret),
    })),
    segments: acceptedSegments(segment, beside, elsewhere),
    refusedSessions: await refusedSessions(first, second, own, signer, other),
    refusedSegments: refusedSegments({ segment, beside, elsewhere, otherCamera, other }),
    refusedChains: refusedChains(segment, beside, await begin(2)),
  };
}
