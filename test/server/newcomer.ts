import { createHash, generateKeyPairSync, type KeyObject, randomBytes, X509Certificate } from 'node:crypto';
import { pem } from '../../crypto/certificate-node.ts';
import type { Claim } from '../../crypto/claim.ts';
import { makePairingStatement, type PairingTerms } from '../../crypto/pairing-statement.ts';
import { decodeCertsOnly } from '../../crypto/pkcs7-node.ts';
import { nodePrimitives } from '../../crypto/primitives-node.ts';
import { makeRequest } from '../../crypto/request-node.ts';
import type { Registry } from '../../server/registry/registry.ts';
import { ENROL_PATH, REENROL_PATH } from '../../wire/enrolment.ts';
import { type CameraDouble, cameraOfKey } from './camera-double.ts';
import { type Answer, ask } from './test-server.ts';

/** An owner's claim, and the token that goes with it. */
export interface ClaimDouble {
  readonly token: Buffer;
  readonly terms: PairingTerms;
  readonly claim: Claim;
}

export function makeClaim(inSeconds = 3600): ClaimDouble {
  const token = randomBytes(16);
  const expires = Math.floor(Date.now() / 1000) + inSeconds;
  const terms = {
    owner: randomBytes(32),
    activePin: randomBytes(32),
    backupPin: randomBytes(32),
    expires,
    origin: 'https://localhost',
  };
  return { token, terms, claim: { tokenHash: hashOf(token), expires, owner: terms.owner } };
}

/** A claim that the server knows. */
export async function givenClaim(registry: Registry, inSeconds?: number): Promise<ClaimDouble> {
  const made = makeClaim(inSeconds);
  await registry.addClaim(made.claim, Date.now());
  return made;
}

const hashOf = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest();

/** A camera with a key and no certificate. */
export function newcomer(): CameraDouble {
  return cameraOfKey(generateKeyPairSync('ec', { namedCurve: 'prime256v1' }).privateKey, '');
}

export const requestOf = (key: KeyObject) => makeRequest(key, 'camera').toString('base64');

export interface EnrolOptions {
  readonly token?: Uint8Array;
  readonly statement?: Uint8Array;
  readonly body?: string;
  readonly headers?: Record<string, string>;
  readonly from?: string;
}

/** What a camera sends to be let in by a claim. */
export async function enrolmentHeaders(camera: CameraDouble, { token, terms }: ClaimDouble) {
  const statement = await makePairingStatement(terms, randomBytes(32), camera.signer, nodePrimitives);
  return {
    'content-type': 'application/pkcs10',
    authorization: `Bearer ${token.toString('base64url')}`,
    'oriel-pairing': Buffer.from(statement).toString('base64url'),
  };
}

/** Comes with a claim. Header fields given replace those of an honest camera; an empty one leaves it out. */
export async function enrolAt(
  port: number,
  camera: CameraDouble,
  claim: ClaimDouble,
  { headers = {}, body = requestOf(camera.key), from }: EnrolOptions = {},
): Promise<Answer> {
  const all: Record<string, string> = { ...(await enrolmentHeaders(camera, claim)), ...headers };
  for (const [name, value] of Object.entries(all)) if (value === '') delete all[name];
  return ask(port, undefined, 'POST', ENROL_PATH, { body, headers: all, ...(from && { from }) });
}

export function reenrolAt(port: number, showing: CameraDouble | undefined, body: string): Promise<Answer> {
  return ask(port, showing, 'POST', REENROL_PATH, {
    body,
    headers: { 'content-type': 'application/pkcs10' },
  });
}

/** The camera with the certificate that an answer brought for its key. */
export function equipped(camera: CameraDouble, answer: Answer): CameraDouble {
  const certificates = decodeCertsOnly(Buffer.from(answer.text, 'base64'));
  const own = certificates.find((der) => new X509Certificate(der).checkPrivateKey(camera.key));
  return { ...camera, certificate: pem('CERTIFICATE', own!) };
}
