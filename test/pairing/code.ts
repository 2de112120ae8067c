import { randomBytes } from 'node:crypto';
import { type Ed25519Pair, ed25519FromSeed } from '../../crypto/curves.ts';
import { nodePrimitives } from '../../crypto/primitives-node.ts';
import { type SetupCode, writeSetupCode } from '../../crypto/setup-code.ts';

export const choice = {
  source: 'test:',
  audio: false,
  lan: [],
  spool: { maxBytes: 1 << 24, minFreeBytes: 0 },
};

/** A fresh setup code as its owner makes it, and its text. */
export async function freshCode(
  change: Partial<SetupCode> = {},
): Promise<{ code: SetupCode; text: string; owner: Ed25519Pair }> {
  const owner = ed25519FromSeed(randomBytes(32));
  const code: SetupCode = {
    owner: owner.publicKey,
    secret: randomBytes(16),
    activePin: randomBytes(32),
    backupPin: randomBytes(32),
    expires: Math.floor(Date.now() / 1000) + 3600,
    origin: 'https://127.0.0.1:8443',
    ...change,
  };
  return { code, text: await writeSetupCode(code, nodePrimitives), owner };
}
