import { createHash } from 'node:crypto';
import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { until } from '../e2e/until.ts';
import type { SlottedDeployment } from '../ota/slotted-deployment.ts';
import type { Trick } from './tricks.ts';

/** One trick against a camera that records, and what becomes of it. */

const PATIENCE_MS = 120_000;

interface LogLine {
  readonly msg?: string;
  readonly code?: string;
  readonly releases?: readonly string[];
}

/** What the camera logs from now on. */
export function newLines({ deployment }: Pick<SlottedDeployment, 'deployment'>): () => LogLine[] {
  const { length } = deployment.log('camera');
  return () =>
    deployment
      .log('camera')
      .slice(length)
      .split('\n')
      .filter((line) => line.startsWith('{') && line.endsWith('}'))
      .map((line) => JSON.parse(line));
}

/** Has the camera look, and waits until it has accepted what it found. */
export async function looks(slotted: SlottedDeployment): Promise<void> {
  const lines = newLines(slotted);
  await slotted.push();
  await until(
    'the camera looks',
    () => lines().some(({ msg }) => msg === 'checked for updates'),
    PATIENCE_MS,
  );
}

/** SHA-256 over every name, mode and byte of a slot. */
export function digestOf(directory: string): string {
  const hash = createHash('sha256');
  for (const name of readdirSync(directory, { recursive: true, encoding: 'utf8' }).sort()) {
    const path = join(directory, name);
    const stats = lstatSync(path);
    hash.update(`${name}\n${stats.mode}\n${stats.size}\n`);
    if (stats.isSymbolicLink()) hash.update(readlinkSync(path));
    if (stats.isFile()) hash.update(readFileSync(path));
  }
  return hash.digest('hex');
}

/** What no trick may change. */
export function runningOf({ installation, deployment, state }: SlottedDeployment) {
  const { active, release, trial, minimum, keys, refused } = state();
  return {
    ...{ active, release, trial, minimum, keys, refused },
    slot: digestOf(join(installation, active)),
    agent: deployment.status.pid,
  };
}

/**
 * Plays a trick. @param meanwhile done before the house is put in order again.
 * @returns `refused` once its code is seen where it should; `installed` if another release runs.
 */
export async function attempt(
  slotted: SlottedDeployment,
  trick: Trick,
  meanwhile = () => Promise.resolve(),
): Promise<'refused' | 'installed'> {
  const { deployment, state, push } = slotted;
  const { version } = state().release;
  const undo = await trick.play(slotted);
  const before = troubleOf(slotted);
  const lines = newLines(slotted);
  await push();
  const outcome = await until(
    `${trick.name}: ${trick.code}`,
    () => {
      if (state().release.version !== version) return 'installed' as const;
      const { updates } = deployment.lookAtStatus() ?? {};
      const refused =
        trick.by === 'agent' && updates?.trouble?.code === trick.code && troubleOf(slotted) !== before;
      return (refused || lines().some((line) => tells(line, trick))) && ('refused' as const);
    },
    PATIENCE_MS,
  );
  await meanwhile();
  await undo();
  return outcome;
}

/** The look for updates that failed last; others fail at other times. */
function troubleOf({ deployment }: SlottedDeployment): string {
  const { code, since, times } = deployment.lookAtStatus()?.updates?.trouble ?? {};
  return `${code} ${since} ${times}`;
}

function tells({ msg, code, releases = [] }: LogLine, trick: Trick): boolean {
  if (trick.by === 'launcher') return msg === 'what was fetched is not put on trial' && code === trick.code;
  return msg === 'checked for updates' && releases.some((judged) => judged.endsWith(`: ${trick.code}`));
}
