import { toBase64Url } from '../../../crypto/bytes.ts';
import type { CryptoErrorCode } from '../../../crypto/errors.ts';
import { cameraIdOf, idText } from '../../../crypto/header.ts';
import type { DeviceSigner } from '../../../crypto/primitives.ts';
import { nodePrimitives } from '../../../crypto/primitives-node.ts';
import { beginSession } from '../../../crypto/session.ts';
import {
  encodeSnapshotHeader,
  MAX_SNAPSHOTS_PER_SESSION,
  paddedLength,
  signSnapshot,
} from '../../../crypto/snapshot.ts';
import { deriveSnapshotKey } from '../../../crypto/snapshot-key.ts';
import { dayKeyHolder, makeViewingKey, writeViewingKey } from '../../../crypto/viewing-key.ts';
import { makeSigner } from '../../crypto/camera.ts';
import { START_MS, seeded, sessionFields } from './camera.ts';

/** The file snapshots.json: what an opener has to make of snapshots. Byte strings are base64url without padding. */
export interface SnapshotsVectors {
  readonly about: string;
  /** A viewing key file's JSON; it trusts the camera. */
  readonly viewingKey: unknown;
  /** Session header of the session that all snapshots are asked for in. */
  readonly session: string;
  readonly accepted: readonly AcceptedSnapshot[];
  readonly refused: readonly RefusedSnapshot[];
}

export interface AcceptedSnapshot {
  readonly name: string;
  readonly bytes: string;
  readonly number: number;
  readonly timeMs: number;
  readonly key: string;
  readonly nonce: string;
  readonly picture: string;
}

export interface RefusedSnapshot {
  readonly name: string;
  readonly bytes: string;
  readonly code: CryptoErrorCode;
}

const ABOUT = [
  'Vectors of snapshots as docs/format.md gives them, version 1. What is sealed in them is no JPEG: openers do not look.',
  'Byte strings are base64url without padding. The keys were made for this file and are used nowhere else.',
].join(' ');

/** Makes every vector, under keys made for the occasion. */
export async function makeSnapshotsVectors(): Promise<SnapshotsVectors> {
  const signer = makeSigner();
  const camera = await cameraIdOf(signer.point, nodePrimitives);
  const made = await makeViewingKey('snapshots', seeded('snapshots identity', 32), 1);
  const viewingKey = { ...made, cameras: [{ id: idText(camera), name: 'snapshots', epoch: 1, counter: 4 }] };
  const { viewer } = await dayKeyHolder(made, nodePrimitives);
  const recipients = made.dayKeys.map(({ number, publicKey }) => ({ viewer, dayKey: number, publicKey }));
  const session = await beginSession(sessionFields(1), recipients, signer, nodePrimitives);
  const other = await beginSession(sessionFields(2), recipients, signer, nodePrimitives);
  const material = { camera, sessionHash: session.hash, secret: session.secret, signer };
  return {
    about: ABOUT,
    viewingKey: JSON.parse(writeViewingKey(viewingKey)),
    session: toBase64Url(session.header),
    accepted: [
      accepted('one block', material, 0, 1000),
      accepted('a block filled to its last byte', material, 1, 4092),
      accepted('two blocks', material, 2, 4093),
      accepted('an empty picture', material, 3, 0),
      accepted('the last number', material, MAX_SNAPSHOTS_PER_SESSION - 1, 10),
    ],
    refused: refused(material, { ...material, sessionHash: other.hash, secret: other.secret }),
  };
}

interface Material {
  readonly camera: Uint8Array;
  readonly sessionHash: Uint8Array;
  readonly secret: Uint8Array;
  readonly signer: DeviceSigner;
}

const timeOf = (number: number) => START_MS + number * 60_000;

const pictureOf = (number: number, length: number) => seeded(`picture ${number}`, length);

function plaintextOf(
  picture: Uint8Array,
  blocks = paddedLength(picture.length) / 4096,
  length = picture.length,
) {
  const plaintext = new Uint8Array(blocks * 4096);
  new DataView(plaintext.buffer).setUint32(0, length);
  plaintext.set(picture, 4);
  return plaintext;
}

function seal(
  { camera, sessionHash, secret, signer }: Material,
  number: number,
  plaintext: Uint8Array,
  derive: (header: Uint8Array) => { key: Uint8Array; nonce: Uint8Array } = (header) =>
    deriveSnapshotKey(secret, header, nodePrimitives),
) {
  const header = encodeSnapshotHeader({ camera, sessionHash, number, timeMs: timeOf(number) });
  const { key, nonce } = derive(header);
  const sealed = new Uint8Array(plaintext.length + 16);
  nodePrimitives.aesGcmSealInto(key, nonce, header, plaintext, sealed, 0);
  return { bytes: signSnapshot(header, sealed, signer), key, nonce };
}

function accepted(name: string, material: Material, number: number, length: number): AcceptedSnapshot {
  const picture = pictureOf(number, length);
  const { bytes, key, nonce } = seal(material, number, plaintextOf(picture));
  return {
    name,
    bytes: toBase64Url(bytes),
    number,
    timeMs: timeOf(number),
    key: toBase64Url(key),
    nonce: toBase64Url(nonce),
    picture: toBase64Url(picture),
  };
}

function refused(material: Material, elsewhere: Material): RefusedSnapshot[] {
  const picture = pictureOf(0, 1000);
  const { bytes } = seal(material, 0, plaintextOf(picture));
  const made = (plaintext: Uint8Array, change: Partial<Material> = {}) =>
    seal({ ...material, ...change }, 0, plaintext).bytes;
  const unpadded = plaintextOf(picture);
  unpadded[unpadded.length - 1] = 1;
  const underSegmentLabel = seal(material, 0, plaintextOf(picture), (header) => {
    const info = Buffer.concat([Buffer.from('oriel/1 segment\0'), header]);
    const derived = nodePrimitives.hkdf(material.secret, info, 28);
    return { key: derived.slice(0, 16), nonce: derived.slice(16) };
  });
  const cases: [string, CryptoErrorCode, Uint8Array][] = [
    ['no bytes', 'SNAPSHOT_MALFORMED', new Uint8Array(0)],
    ['a byte too few', 'SNAPSHOT_MALFORMED', bytes.subarray(0, -1)],
    ['a byte too many', 'SNAPSHOT_MALFORMED', Buffer.concat([bytes, Buffer.of(0)])],
    ['no block', 'SNAPSHOT_MALFORMED', bytes.subarray(0, 152)],
    ['eighteen blocks', 'SNAPSHOT_MALFORMED', made(plaintextOf(picture, 18))],
    ['another magic', 'HEADER_MALFORMED', patched(bytes, 3, 0x47)],
    ['version 2', 'HEADER_MALFORMED', patched(bytes, 4, 2)],
    ['suite 2', 'HEADER_MALFORMED', patched(bytes, 5, 2)],
    ['bytes that are zero are not', 'HEADER_MALFORMED', patched(bytes, 7, 1)],
    ['number 128', 'HEADER_MALFORMED', patched(bytes, 63, 128)],
    ['time 2^53', 'HEADER_MALFORMED', patched(bytes, 65, 0x20)],
    ['of another session', 'SNAPSHOT_FOREIGN', seal(elsewhere, 0, plaintextOf(picture)).bytes],
    [
      'names another camera, signed',
      'CAMERA_FOREIGN',
      made(plaintextOf(picture), { camera: seeded('another', 20) }),
    ],
    ['another number', 'SNAPSHOT_FORGED', patched(bytes, 63, 1)],
    ['a bit of the picture', 'SNAPSHOT_FORGED', patched(bytes, 100, (bytes[100] as number) ^ 1)],
    [
      'a bit of the signature',
      'SNAPSHOT_FORGED',
      patched(bytes, bytes.length - 1, (bytes.at(-1) as number) ^ 1),
    ],
    ["another camera's signature", 'SNAPSHOT_FORGED', made(plaintextOf(picture), { signer: makeSigner() })],
    [
      "under another session's secret, signed",
      'SNAPSHOT_FORGED',
      made(plaintextOf(picture), { secret: elsewhere.secret }),
    ],
    ['under the label of segments, signed', 'SNAPSHOT_FORGED', underSegmentLabel.bytes],
    ['a length beyond its blocks, signed', 'SNAPSHOT_MALFORMED', made(plaintextOf(picture, 1, 4093))],
    ['a block too many, signed', 'SNAPSHOT_MALFORMED', made(plaintextOf(picture, 2))],
    ['padding that is not zeros, signed', 'SNAPSHOT_MALFORMED', made(unpadded)],
  ];
  return cases.map(([name, code, some]) => ({ name, code, bytes: toBase64Url(some) }));
}

function patched(bytes: Uint8Array, at: number, value: number): Uint8Array {
  const copy = Uint8Array.from(bytes);
  copy[at] = value;
  return copy;
}
