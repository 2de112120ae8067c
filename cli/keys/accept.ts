import { equal, utf8 } from '../../crypto/bytes.ts';
import { ed25519FromSeed } from '../../crypto/ed25519.ts';
import { parsePairingStatement } from '../../crypto/pairing-statement.ts';
import { type ViewingKey, writeViewingKey } from '../../crypto/viewing-key.ts';
import type { PairingRecord, Registry } from '../../server/registry/registry.ts';
import { CommandError } from '../errors.ts';
import { EXIT } from '../exit-codes.ts';
import { readTextFile, withFileLocked, writeTextFile } from '../files.ts';
import { presentTime } from '../present-time.ts';
import { withRegistry } from '../server/registry.ts';
import { readViewingKey } from '../viewing-key-file.ts';
import { acceptCamera, statementFrom } from './pairing.ts';
import { policyWarnings } from './sign-policy.ts';

export interface AcceptOptions {
  readonly statement?: string;
  readonly serverDir?: string;
  readonly camera?: string;
  readonly out?: string;
  readonly audio?: true;
}

const MAX_STATEMENT_FILE_BYTES = 4096;

/** `oriel keys accept`. @returns the exit code. */
export async function accept(file: string, wish: AcceptOptions): Promise<number> {
  const { statement, serverDir, out } = wish;
  if (serverDir !== undefined && statement === undefined && out === undefined) {
    return acceptWaiting(file, serverDir, wish);
  }
  if (serverDir !== undefined || statement === undefined || out === undefined) {
    throw new CommandError('USAGE', 'give --server-dir DIR, or --statement FILE and --out FILE');
  }
  const bytes = statementFrom(readTextFile(statement, MAX_STATEMENT_FILE_BYTES));
  await acceptOne(file, bytes, wish, async (_camera, policy) => writeTextFile(out, policy, 0o600));
  console.log(`policy written to ${out}`);
  return EXIT.ok;
}

/** Accepts every camera of this owner's that waits at a server whose directory is at hand. */
async function acceptWaiting(file: string, serverDir: string, wish: AcceptOptions): Promise<number> {
  let refused = 0;
  let accepted = 0;
  await withRegistry(serverDir, async (registry) => {
    for (const { camera, statement } of await waiting(registry, readViewingKey(file), wish.camera)) {
      try {
        await acceptOne(file, statement, wish, (stated, policy) =>
          registry.putPolicy(stated, utf8(policy), Date.now()),
        );
        accepted += 1;
      } catch (error) {
        refused += 1;
        const { code, message } = error as { code?: unknown; message?: unknown };
        console.error(`oriel: camera ${camera} is not accepted: ${String(message)} [${String(code)}]`);
      }
    }
  });
  if (accepted + refused > 0) return refused === 0 ? EXIT.ok : EXIT.failure;
  throw new CommandError(
    'PAIRING_MISSING',
    'no camera that was set up with your code waits at this server: it has to be let in (oriel server cameras DIR claim CLAIM), and to run; one that has a policy is accepted again with --camera',
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
  deliver: (camera: string, policy: string) => Promise<void>,
): Promise<void> {
  const { camera, counter, viewers } = await withFileLocked(file, async () => {
    const options = { audio: wish.audio ?? false, nowMs: presentTime() };
    const accepted = await acceptCamera(readViewingKey(file), statement, options);
    if (wish.camera !== undefined && wish.camera !== accepted.camera) {
      throw new CommandError('PAIRING_MISSING', `the statement is of camera ${accepted.camera}`);
    }
    // The key first: a counter once signed is never signed again, even if what follows fails.
    writeTextFile(file, writeViewingKey(accepted.key), 0o600);
    await deliver(accepted.camera, accepted.policyFile);
    return accepted;
  });
  console.log(`accepted camera ${camera}: policy 1.${counter}`);
  for (const warning of policyWarnings(viewers, () => 'you')) console.error(`oriel: ${warning}`);
}
