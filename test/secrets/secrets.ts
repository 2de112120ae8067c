import { createPrivateKey, randomBytes } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readSessionHeader, SEGMENT_HEADER_LENGTH } from '../../crypto/header.ts';
import { nodePrimitives } from '../../crypto/primitives-node.ts';
import { deriveSegmentKey } from '../../crypto/segment-key.ts';
import { openSession } from '../../crypto/session.ts';
import { claimTokenOf, proofKeyOf, readSetupCode } from '../../crypto/setup-code.ts';
import { dayKeyHolder, parseViewingKey } from '../../crypto/viewing-key.ts';
import type { Secret } from './sweep.ts';

/** Passwords as people make them, around a part that no encoding alters and that is looked for. */
export interface Planted {
  readonly rtsp: { readonly user: string; readonly password: string };
  readonly wrongRtsp: string;
  readonly wifi: string;
  readonly secrets: readonly Secret[];
}

export function plantSecrets(): Planted {
  const cores = ['RTSP password', 'wrong RTSP password', 'Wi-Fi password'].map((name) => ({
    name,
    text: randomBytes(12)
      .toString('hex')
      .replace(/\d/g, (digit) => 'ghijklmnop'[Number(digit)] ?? ''),
  }));
  const [rtsp, wrongRtsp, wifi] = cores.map(({ text }) => `"p'@ ${text}/%`) as [string, string, string];
  return {
    rtsp: { user: 'eve', password: rtsp },
    wrongRtsp,
    wifi,
    secrets: cores.map(({ name, text }) => ({ name, bytes: Buffer.from(text) })),
  };
}

/** The secret half of a P-256 key, 32 bytes. */
export function scalarOf(pem: string): Uint8Array {
  return Buffer.from(createPrivateKey(pem).export({ format: 'jwk' }).d ?? '', 'base64url');
}

/** What a setup code holds, and what follows from it. */
export async function secretsOfCode(text: string): Promise<Secret[]> {
  const { secret } = await readSetupCode(text, nodePrimitives);
  return [
    { name: 'pairing secret', bytes: secret },
    { name: 'claim token', bytes: await claimTokenOf(secret, nodePrimitives) },
    { name: 'proof key', bytes: await proofKeyOf(secret, nodePrimitives) },
  ];
}

/** With those planted, all that the viewing key holds and opens, and the keys of the server. */
export async function secretsMade(
  planted: Planted,
  keyFile: string,
  serverDirectory: string,
): Promise<Secret[]> {
  const key = parseViewingKey(readFileSync(keyFile, 'utf8'));
  const identity = join(serverDirectory, 'identity');
  return [
    ...planted.secrets,
    { name: 'viewing identity', bytes: key.seed },
    ...key.dayKeys.map(({ number, privateKey }) => ({ name: `day key ${number}`, bytes: privateKey })),
    ...readdirSync(identity)
      .filter((name) => name.endsWith('.key'))
      .map((name) => ({ name, bytes: scalarOf(readFileSync(join(identity, name), 'utf8')) })),
    ...(await sessionSecrets(keyFile, serverDirectory)),
  ];
}

/** Secrets of the sessions that lie on the server, and the first segment key of each. */
async function sessionSecrets(keyFile: string, serverDirectory: string): Promise<Secret[]> {
  const key = parseViewingKey(readFileSync(keyFile, 'utf8'));
  const holder = await dayKeyHolder(key, nodePrimitives);
  const footage = join(serverDirectory, 'footage');
  const found: Secret[] = [];
  for (const { parentPath, name } of readdirSync(footage, { withFileTypes: true, recursive: true })) {
    if (name !== 'session') continue;
    const header = await readSessionHeader(readFileSync(join(parentPath, name)), nodePrimitives);
    const secret = await openSession(header, holder);
    found.push({ name: 'session secret', bytes: secret });
    const segment = join(parentPath, '000000.oriel');
    if (!existsSync(segment)) continue;
    const segmentHeader = readFileSync(segment).subarray(0, SEGMENT_HEADER_LENGTH);
    found.push({ name: 'segment key', bytes: deriveSegmentKey(secret, segmentHeader, nodePrimitives).key });
  }
  return found;
}
