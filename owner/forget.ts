import { equal } from '../crypto/bytes.ts';
import { ed25519FromSeed, viewerIdOf } from '../crypto/curves.ts';
import { MAX_SESSION_HEADER_LENGTH, readSessionHeader } from '../crypto/header.ts';
import { nodePrimitives } from '../crypto/primitives-node.ts';
import { rfc3339 } from '../crypto/time.ts';
import { distrustCamera, forgetDayKeys, type ViewingKey, writeViewingKey } from '../crypto/viewing-key.ts';
import { FootageDirectory } from '../footage/footage-directory-node.ts';
import type { SessionFiles } from '../footage/footage-source.ts';
import { readNeededFile, withFileLocked, writeTextFile } from '../host/files.ts';
import { replaceSecretFile } from '../host/secret-file.ts';
import { OwnerError } from './errors.ts';
import type { Output } from './output.ts';
import { readViewingKey } from './viewing-key-file.ts';

/** Trusts a camera no more. @throws OwnerError CAMERA_UNKNOWN. */
export async function distrust(file: string, camera: string, output: Output): Promise<void> {
  await withFileLocked(file, () => {
    const next = distrustCamera(readViewingKey(file, output), camera);
    if (next === undefined) {
      throw new OwnerError('CAMERA_UNKNOWN', `${file} trusts no camera ${camera}; see oriel keys show`);
    }
    writeTextFile(file, writeViewingKey(next), 0o600);
  });
}

export interface ForgetRequest {
  /** The last day key to destroy. */
  readonly through: number;
  /** The directory with footage of which the losses are told. */
  readonly footage?: string;
  readonly yes?: true;
}

/** Destroys day keys; without `yes` it only tells what would be lost. @returns whether they are destroyed. @throws OwnerError USAGE. */
export function forget(
  file: string,
  { through, footage, yes }: ForgetRequest,
  output: Output,
): Promise<boolean> {
  return withFileLocked(file, async () => {
    const { say } = output;
    const key = readViewingKey(file, output);
    const left = forgetDayKeys(key, through);
    const count = key.dayKeys.length - left.dayKeys.length;
    check(file, count, left);
    if (footage !== undefined) await tellLosses(footage, key, through, say);
    if (yes === undefined) {
      say(`${count} day keys up to number ${through} would be destroyed. Nothing is changed yet: add --yes.`);
      return false;
    }
    replaceSecretFile(file, writeViewingKey(left));
    say(`${count} day keys up to number ${through} are destroyed, ${left.dayKeys.length} left.`);
    say(`Copies of ${file} still hold them. Sign each camera a new policy now: oriel keys policy`);
    return true;
  });
}

function check(file: string, count: number, left: ViewingKey): void {
  if (count === 0)
    throw new OwnerError('USAGE', `${file} holds no day key up to that number; see oriel keys show`);
  if (left.dayKeys.length > 0) return;
  throw new OwnerError(
    'USAGE',
    'that would be every day key, and nothing could be sealed to you; make more first: oriel keys days',
  );
}

interface Loss {
  sessions: number;
  unreadable: number;
  /** Milliseconds since 1970. */
  first: number;
  last: number;
}

async function tellLosses(
  footage: string,
  key: ViewingKey,
  through: number,
  say: Output['say'],
): Promise<void> {
  const source = new FootageDirectory(footage);
  for (const camera of await source.cameras()) {
    const files = await source.sessions(camera);
    const { sessions, unreadable, first, last } = await lossOf(files, key, through);
    const when = sessions === 0 ? '' : `, begun ${rfc3339(first)} to ${rfc3339(last)}`;
    say(`camera ${camera}: ${sessions} sessions open never again${when}`);
    if (unreadable > 0)
      say(`camera ${camera}: of ${unreadable} sessions that is not known, their headers are damaged`);
  }
}

async function lossOf(files: readonly SessionFiles[], key: ViewingKey, through: number): Promise<Loss> {
  const loss: Loss = { sessions: 0, unreadable: 0, first: Number.POSITIVE_INFINITY, last: 0 };
  const viewer = await viewerIdOf(ed25519FromSeed(key.seed).publicKey, nodePrimitives);
  const held = new Set(key.dayKeys.map(({ number }) => number));
  for (const { headerPath } of files) {
    try {
      const bytes = readNeededFile(headerPath, MAX_SESSION_HEADER_LENGTH);
      const { wraps, timeMs } = await readSessionHeader(bytes, nodePrimitives);
      const mine = wraps.filter((wrap) => equal(wrap.viewer, viewer) && held.has(wrap.dayKey));
      if (mine.length === 0 || mine.some(({ dayKey }) => dayKey > through)) continue;
      loss.sessions += 1;
      loss.first = Math.min(loss.first, timeMs);
      loss.last = Math.max(loss.last, timeMs);
    } catch {
      loss.unreadable += 1;
    }
  }
  return loss;
}
