import { statSync } from 'node:fs';
import { toBase64Url } from '../crypto/bytes.ts';
import { ed25519FromSeed, viewerIdOf } from '../crypto/curves.ts';
import { idText } from '../crypto/header.ts';
import { nodePrimitives } from '../crypto/primitives-node.ts';
import { MAX_VIEWING_KEY_BYTES, parseViewingKey, type ViewingKey } from '../crypto/viewing-key.ts';
import { readTextFile } from '../host/files.ts';
import { OwnerError } from './errors.ts';
import type { Output } from './output.ts';

/** The public half of a viewing key, as text. */
export async function identityOf(key: ViewingKey): Promise<{ viewer: string; publicKey: string }> {
  const { publicKey } = ed25519FromSeed(key.seed);
  return { viewer: await viewerText(publicKey), publicKey: toBase64Url(publicKey) };
}

/** Viewer id as text. @param identity Ed25519 public key. */
export async function viewerText(identity: Uint8Array): Promise<string> {
  return idText(await viewerIdOf(identity, nodePrimitives));
}

/** Warns when others can read it. @throws FileError FILE_UNREADABLE; OwnerError KEY_MALFORMED. */
export function readViewingKey(path: string, { warn }: Pick<Output, 'warn'>): ViewingKey {
  const text = readTextFile(path, MAX_VIEWING_KEY_BYTES);
  let key: ViewingKey;
  try {
    key = parseViewingKey(text);
  } catch (cause) {
    throw new OwnerError(
      'KEY_MALFORMED',
      `${path} is not as it has to be: ${(cause as Error).message}`,
      cause,
    );
  }
  if ((statSync(path).mode & 0o077) !== 0) {
    warn(`oriel: warning: ${path} can be read by others; run: chmod 600 ${path}`);
  }
  return key;
}
