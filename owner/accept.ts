import { equal, utf8 } from '../crypto/bytes.ts';
import { ed25519FromSeed } from '../crypto/curves.ts';
import { parsePairingStatement } from '../crypto/pairing-statement.ts';
import { type ViewingKey, writeViewingKey } from '../crypto/viewing-key.ts';
import { readTextFile, withFileLocked, writeTextFile } from '../host/files.ts';
import type { PairingRecord, Registry } from '../server/registry/registry.ts';
import { OwnerError } from './errors.ts';
import type { Output } from './output.ts';
import { acceptCamera, statementFrom } from './pairing.ts';
import { policyWarnings } from './sign-policy.ts';
import { readViewingKey } from './viewing-key-file.ts';

export interface AcceptOptions {
  readonly statement?: string;
  readonly serverDir?: string;
  readonly camera?: string;
  readonly out?: string;
  readonly audio?: true;
}

const MAX_STATEMENT_FILE_BYTES = 4096;

/** What accepting takes from outside. */
export interface AcceptTools {
  readonly output: Output;
  /** Milliseconds since 1970. @throws when the machine's clock is certainly wrong. */
  readonly now: () => number;
  /** Opens the registry of a server's directory for as long as `work` takes. */
  readonly withRegistry: (directory: string, work: (registry: Registry) => Promise<void>) => Promise<void>;
}

/**
 * Accepts a camera by its pairing statement, or all that wait at a server, and trusts each from then on.
 * @returns whether none was refused.
 * @throws OwnerError USAGE, PAIRING_MISSING; CryptoError as acceptCamera.
 */
export async function accept(file: string, wish: AcceptOptions, tools: AcceptTools): Promise<boolean> {
  const { statement, serverDir, out } = wish;
  if (serverDir !== undefined && statement === undefined && out === undefined) {
    return acceptWaiting(file, serverDir, wish, tools);
  }
  if (serverDir !== undefined || statement === undefined || out === undefined) {
    throw new OwnerError('USAGE', 'give --server-dir DIR, or --statement FILE and --out FILE');
  }
  const bytes = statementFrom(readTextFile(statement, MAX_STATEMENT_FILE_BYTES));
  await acceptOne(file, bytes, wish, tools, async (_camera, policy) => writeTextFile(out, policy, 0o600));
  tools.output.say(`policy written to ${out}`);
  return true;
}

/** Accepts every camera of this owner's that waits at a server whose directory is at hand. */
async function acceptWaiting(
  file: string,
  serverDir: string,
  wish: AcceptOptions,
  tools: AcceptTools,
): Promise<boolean> {
  let refused = 0;
  let accepted = 0;
  await tools.withRegistry(serverDir, async (registry) => {
    for (const { camera, statement } of await waiting(
      registry,
      readViewingKey(file, tools.output),
      wish.camera,
    )) {
      try {
        await acceptOne(file, statement, wish, tools, (stated, policy) =>
          registry.putPolicy(stated, utf8(policy), Date.now()),
        );
        accepted += 1;
      } catch (error) {
        refused += 1;
        const { code, message } = error as { code?: unknown; message?: unknown };
        tools.output.warn(`oriel: camera ${camera} is not accepted: ${String(message)} [${String(code)}]`);
      }
    }
  });
  if (accepted + refused > 0) return refused === 0;
  throw new OwnerError(
    'PAIRING_MISSING',
    'no camera that was set up with your code waits at this server: it has to be let in (oriel server camera claim DIR CLAIM), and to run; one that has a policy is accepted again with --camera',
  );
}

/** Statements for this owner of cameras that have no policy yet and are not revoked, or of the one asked for. */
async function waiting(
  registry: Registry,
  key: ViewingKey,
  wanted: string | undefined,
): Promise<PairingRecord[]> {
  const { publicKey } = ed25519FromSeed(key.seed);
  const waits = async ({ camera, statement }: PairingRecord) => {
    if (wanted !== undefined) return camera === wanted;
    const isAccepted = (await registry.policy(camera)) !== undefined;
    if (isAccepted || (await registry.standing(camera)) === 'revoked') return false;
    return isFor(statement, publicKey);
  };
  const found: PairingRecord[] = [];
  for (const pairing of await registry.pairings()) if (await waits(pairing)) found.push(pairing);
  return found;
}

function isFor(statement: Uint8Array, owner: Uint8Array): boolean {
  try {
    return equal(parsePairingStatement(statement).owner, owner);
  } catch {
    // Whatever the server made of it: it is reported, not passed over.
    return true;
  }
}

async function acceptOne(
  file: string,
  statement: Uint8Array,
  wish: AcceptOptions,
  { output, now }: AcceptTools,
  deliver: (camera: string, policy: string) => Promise<void>,
): Promise<void> {
  const { camera, counter, viewers } = await withFileLocked(file, async () => {
    const options = { audio: wish.audio ?? false, nowMs: now() };
    const accepted = await acceptCamera(readViewingKey(file, output), statement, options);
    if (wish.camera !== undefined && wish.camera !== accepted.camera) {
      throw new OwnerError('PAIRING_MISSING', `the statement is of camera ${accepted.camera}`);
    }
    // The key first: a counter once signed is never signed again, even if what follows fails.
    writeTextFile(file, writeViewingKey(accepted.key), 0o600);
    await deliver(accepted.camera, accepted.policyFile);
    return accepted;
  });
  output.say(`accepted camera ${camera}: policy 1.${counter}`);
  for (const warning of policyWarnings(viewers, () => 'you')) output.warn(`oriel: ${warning}`);
}
