import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { readTextFile, writeTextFile } from '../../host/files.ts';
import type { Signer } from '../tuf-metadata.ts';
import { ReleaseError } from './errors.ts';

/** Keys of a maker: Ed25519 in PKCS#8 PEM (RFC 8410), as `openssl pkey` reads it, sealed with a passphrase or not. */

const MAX_KEY_FILE_BYTES = 4 * 1024;
const RAW_KEY_LENGTH = 32;

/** Makes a key and writes it for its owner's eyes only. @returns its public half, hex. */
export function makeKeyFile(path: string, passphrase: string | undefined): string {
  const { privateKey } = generateKeyPairSync('ed25519');
  const cipher = passphrase === undefined ? {} : { cipher: 'aes-256-cbc', passphrase };
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem', ...cipher });
  writeTextFile(path, pem.toString(), 0o600, true);
  return publicKeyOf(privateKey);
}

/** @throws ReleaseError KEY_MALFORMED. */
export function readKeyFile(path: string, passphrase: string | undefined): Signer {
  const pem = readTextFile(path, MAX_KEY_FILE_BYTES);
  let key: KeyObject;
  try {
    key = createPrivateKey({ key: pem, ...(passphrase !== undefined && { passphrase }) });
  } catch (cause) {
    const sealed = pem.includes('ENCRYPTED');
    const why = sealed ? 'its passphrase is missing or wrong; give --passphrase-file' : 'it is no PEM key';
    throw new ReleaseError('KEY_MALFORMED', `${path}: ${why}`, cause);
  }
  if (key.asymmetricKeyType !== 'ed25519') {
    throw new ReleaseError('KEY_MALFORMED', `${path} is a key of another kind; release keys are Ed25519`);
  }
  return {
    publicKey: publicKeyOf(key),
    sign: (message) => sign(null, message, key).toString('hex'),
  };
}

/** The first line of a file. */
export function readPassphrase(path: string | undefined): string | undefined {
  if (path === undefined) return undefined;
  return readTextFile(path, MAX_KEY_FILE_BYTES).split(/\r?\n/, 1)[0];
}

function publicKeyOf(key: KeyObject): string {
  const spki = createPublicKey(key).export({ type: 'spki', format: 'der' });
  return spki.subarray(-RAW_KEY_LENGTH).toString('hex');
}
