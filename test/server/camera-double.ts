import {
  createHash,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  sign,
} from 'node:crypto';
import { crc32 } from 'node:zlib';
import { concat, toHex } from '../../crypto/bytes.ts';
import { type Credential, issueClient, pem } from '../../crypto/certificate-node.ts';
import { CLOSING_LENGTH } from '../../crypto/closing.ts';
import {
  encodeSegmentHeader,
  encodeSessionFixed,
  PREVIOUS_UNKNOWN,
  signSessionHeader,
} from '../../crypto/header.ts';
import { makeMarkRecord } from '../../crypto/mark.ts';
import type { DeviceSigner } from '../../crypto/primitives.ts';
import {
  finishRecord,
  RECORD_OVERHEAD,
  RECORD_TYPES,
  type RecordType,
  writeRecordHeader,
} from '../../crypto/record.ts';
import { makeRequest } from '../../crypto/request-node.ts';
import { cameraOfSpki, p256Spki } from '../../crypto/spki-node.ts';

/** A camera as the server sees it: real key, certificate and headers; records of random bytes. */
export interface CameraDouble {
  readonly id: string;
  readonly idBytes: Uint8Array;
  readonly key: KeyObject;
  readonly certificate: string;
  readonly signer: DeviceSigner;
}

export function makeCamera(authority: Credential, validity = { from: new Date(), days: 1 }): CameraDouble {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  const { certificate } = issueClient(authority, makeRequest(privateKey, 'camera'), validity);
  return cameraOfKey(privateKey, pem('CERTIFICATE', certificate));
}

export function cameraOfKey(key: KeyObject, certificate: string): CameraDouble {
  const spki = p256Spki(createPublicKey(key));
  return {
    id: cameraOfSpki(spki),
    idBytes: createHash('sha256').update(spki).digest().subarray(0, 20),
    key,
    certificate,
    signer: {
      point: Uint8Array.from(spki.subarray(-65)),
      sign: (message) => sign('sha256', message, { key, dsaEncoding: 'ieee-p1363' }),
    },
  };
}

export interface SessionDouble {
  readonly id: string;
  readonly bytes: Uint8Array;
  readonly hash: Uint8Array;
}

export function makeSession(
  camera: CameraDouble,
  number = 1,
  id: Uint8Array = randomBytes(16),
): SessionDouble {
  const header = {
    point: camera.signer.point,
    id,
    number,
    timeMs: 1_760_000_000_000,
    previousSession: new Uint8Array(32),
    previousSegments: PREVIOUS_UNKNOWN,
    previousDigest: new Uint8Array(32),
    policyEpoch: 1,
    policyCounter: 1,
  };
  const bytes = signSessionHeader(encodeSessionFixed(header, 0), [], camera.signer);
  return { id: toHex(id), bytes, hash: createHash('sha256').update(bytes).digest() };
}

export function makeSegmentHeader(camera: CameraDouble, session: SessionDouble, sequence = 0): Uint8Array {
  return encodeSegmentHeader({
    camera: camera.idBytes,
    sessionHash: session.hash,
    sequence,
    timeMs: 1_760_000_000_000,
  });
}

export function makeRecord(
  header: Uint8Array,
  counter: number,
  type: RecordType = counter === 0 ? RECORD_TYPES.opening : RECORD_TYPES.fragment,
  payload: Uint8Array = randomBytes(500),
): Uint8Array {
  const frame = new Uint8Array(RECORD_OVERHEAD + payload.length);
  const tag = createHash('sha256').update(header).digest();
  writeRecordHeader(frame, tag, counter, 200_000, type, crc32);
  frame.set(payload, frame.length - 4 - payload.length);
  return finishRecord(frame, crc32);
}

export function makeClosing(header: Uint8Array, counter: number): Uint8Array {
  return makeRecord(header, counter, RECORD_TYPES.closing, randomBytes(CLOSING_LENGTH + 16));
}

export function makeMark(camera: CameraDouble, header: Uint8Array): Uint8Array {
  const statement = {
    kind: 'cut',
    placed: false,
    vouchedRecords: 0,
    vouchedDigest: new Uint8Array(32),
    lostUs: 0,
    timeMs: 1_760_000_000_000,
  } as const;
  const headerHash = createHash('sha256').update(header).digest();
  return makeMarkRecord(statement, { headerHash, at: 0 }, camera.signer, crc32);
}

/** A whole segment: header, `fragments` + 1 records, closing record. */
export function makeSegment(header: Uint8Array, fragments = 3, bytes = 500) {
  const records = Array.from({ length: fragments + 1 }, (_, counter) =>
    makeRecord(header, counter, undefined, randomBytes(bytes)),
  );
  const closing = makeClosing(header, fragments + 1);
  return { records, closing, open: concat(header, ...records), whole: concat(header, ...records, closing) };
}
