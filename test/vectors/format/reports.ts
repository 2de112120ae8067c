import { createECDH, createPrivateKey, sign } from 'node:crypto';
import { concat, toBase64Url, utf8 } from '../../../crypto/bytes.ts';
import type { CryptoErrorCode } from '../../../crypto/errors.ts';
import { cameraIdOf, idText } from '../../../crypto/header.ts';
import { nodePrimitives } from '../../../crypto/primitives-node.ts';
import { signUpdateReport, type UpdateReport } from '../../../crypto/update-report.ts';
import { seeded } from './camera.ts';

/** The file reports.json: what a server has to make of update reports. Bytes are base64url. */
export interface ReportsVectors {
  readonly about: string;
  /** The camera that signs: its id as text, and its device key, an uncompressed point on P-256 (65 bytes). */
  readonly camera: { readonly id: string; readonly deviceKey: string };
  readonly accepted: readonly AcceptedReport[];
  readonly refused: readonly RefusedReport[];
}

export interface AcceptedReport extends Omit<UpdateReport, 'camera'> {
  readonly name: string;
  readonly bytes: string;
}

export interface RefusedReport {
  readonly name: string;
  readonly bytes: string;
  readonly code: CryptoErrorCode;
}

const ABOUT = [
  'Vectors of update reports as docs/format.md gives them, version 1.',
  'Byte strings are base64url without padding. The keys were made for this file and are used nowhere else.',
].join(' ');

const CONTEXT = utf8('oriel/1 update report\0');
const SIGNATURE_LENGTH = 64;

/** A device key that is the same in every run; its signatures are not. */
function deviceOf(label: string) {
  const secret = seeded(label, 32);
  const ecdh = createECDH('prime256v1');
  ecdh.setPrivateKey(secret);
  const point = new Uint8Array(ecdh.getPublicKey());
  const [x, y] = [point.subarray(1, 33), point.subarray(33)].map(toBase64Url);
  const jwk = { kty: 'EC', crv: 'P-256', x: x ?? '', y: y ?? '', d: toBase64Url(secret) };
  const key = createPrivateKey({ key: jwk, format: 'jwk' });
  return {
    point,
    sign: (message: Uint8Array) => sign('sha256', message, { key, dsaEncoding: 'ieee-p1363' }),
  };
}

const device = deviceOf('reporting device');
const thief = deviceOf('another device');

type Fields = Omit<UpdateReport, 'camera'>;
const base: Fields = {
  number: 7,
  timeMs: 1_790_000_000_000,
  event: 'returned',
  slot: 'b',
  counter: 42,
  version: '1.2.3-beta.1',
  code: 'AGENT_EXITED',
};

const ACCEPTED: readonly (readonly [string, Partial<Fields>])[] = [
  ['a release that proved itself', { event: 'confirmed', slot: 'a', code: '' }],
  ['one that went back', {}],
  ['one that was refused before any of it ran', { event: 'refused', code: 'SIGNATURES_MISSING' }],
  ['a slot that was altered', { event: 'altered', slot: 'a', code: 'FILE_ALTERED' }],
  ['a state made anew, of a release unknown', { event: 'recovered', counter: 0, version: '', code: '' }],
  [
    'the longest, and the greatest numbers',
    {
      number: 2 ** 53 - 1,
      timeMs: 2 ** 53 - 1,
      counter: 2 ** 32 - 1,
      version: `1.0.0-${'a'.repeat(58)}`,
      code: 'A'.repeat(40),
    },
  ],
];

/** Makes every vector. Signatures are random: the committed ones count. */
export async function makeReportsVectors(): Promise<ReportsVectors> {
  const camera = await cameraIdOf(device.point, nodePrimitives);
  const signed = (change: Partial<Fields> = {}, by = device) =>
    signUpdateReport({ ...base, ...change, camera }, by);
  /** Signed as it stands, whatever its bytes say. */
  const forced = (change: (body: Uint8Array) => Uint8Array) => {
    const body = change(Uint8Array.from(signed().subarray(0, -SIGNATURE_LENGTH)));
    return concat(body, device.sign(concat(CONTEXT, body)));
  };
  const withByte = (at: number, value: number) =>
    forced((body) => {
      body[at] = value;
      return body;
    });
  const flipped = (at: number) => {
    const bytes = Uint8Array.from(signed());
    const place = at < 0 ? bytes.length + at : at;
    bytes[place] = (bytes[place] ?? 0) ^ 1;
    return bytes;
  };
  const versionAt = 48;
  const codeAt = versionAt + base.version.length + 1;
  const refused: readonly (readonly [string, CryptoErrorCode, Uint8Array])[] = [
    ['by another device', 'DOCUMENT_FORGED', signed({}, thief)],
    ['a bit flipped in the number', 'DOCUMENT_FORGED', flipped(32)],
    ['a bit flipped in the counter', 'DOCUMENT_FORGED', flipped(46)],
    ['a bit flipped in the signature', 'DOCUMENT_FORGED', flipped(-20)],
    ['another event, of those there are', 'DOCUMENT_FORGED', flipped(41)],
    [
      'signed under another context',
      'DOCUMENT_FORGED',
      concat(signed().subarray(0, -SIGNATURE_LENGTH), device.sign(signed().subarray(0, -SIGNATURE_LENGTH))),
    ],
    ['empty', 'DOCUMENT_MALFORMED', new Uint8Array()],
    ['cut off', 'DOCUMENT_MALFORMED', signed().subarray(0, -1)],
    ['with a byte more', 'DOCUMENT_MALFORMED', concat(signed(), Uint8Array.of(0))],
    ['another magic', 'DOCUMENT_MALFORMED', withByte(3, 0x53)],
    ['a later version', 'DOCUMENT_MALFORMED', withByte(4, 2)],
    ['a number of 2^53', 'DOCUMENT_MALFORMED', withByte(26, 0x20)],
    ['event 0', 'DOCUMENT_MALFORMED', withByte(41, 0)],
    ['event 6', 'DOCUMENT_MALFORMED', withByte(41, 6)],
    ['slot 2', 'DOCUMENT_MALFORMED', withByte(42, 2)],
    ['a version longer than it says', 'DOCUMENT_MALFORMED', withByte(47, base.version.length - 1)],
    ['a version with a space', 'DOCUMENT_MALFORMED', withByte(versionAt, 0x20)],
    ['a version that is no UTF-8', 'DOCUMENT_MALFORMED', withByte(versionAt, 0xff)],
    ['a code in small letters', 'DOCUMENT_MALFORMED', withByte(codeAt, 0x61)],
    [
      'a code of 41 letters',
      'DOCUMENT_MALFORMED',
      forced((body) => concat(body.subarray(0, codeAt - 1), Uint8Array.of(41), utf8('A'.repeat(41)))),
    ],
  ];
  return {
    about: ABOUT,
    camera: { id: idText(camera), deviceKey: toBase64Url(device.point) },
    accepted: ACCEPTED.map(([name, change]) => ({
      name,
      bytes: toBase64Url(signed(change)),
      ...base,
      ...change,
    })),
    refused: refused.map(([name, code, bytes]) => ({ name, code, bytes: toBase64Url(bytes) })),
  };
}
