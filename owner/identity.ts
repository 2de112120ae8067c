import { toBase64Url } from '../crypto/bytes.ts';
import { ed25519FromSeed, viewerIdOf } from '../crypto/ed25519.ts';
import { idText } from '../crypto/header.ts';
import { nodePrimitives } from '../crypto/primitives-node.ts';
import type { ViewingKey } from '../crypto/viewing-key.ts';

/** The public half of a viewing key, as text. */
export async function identityOf(key: ViewingKey): Promise<{ viewer: string; publicKey: string }> {
  const { publicKey } = ed25519FromSeed(key.seed);
  return { viewer: await viewerText(publicKey), publicKey: toBase64Url(publicKey) };
}

/** Viewer id as text. @param identity Ed25519 public key. */
export async function viewerText(identity: Uint8Array): Promise<string> {
  return idText(await viewerIdOf(identity, nodePrimitives));
}
