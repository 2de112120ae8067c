import { mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Disk } from '../../host/disk.ts';
import { bringRelease, type Check, type CheckOptions, checkForUpdate } from '../../ota/check.ts';
import type { DayAllowance } from '../../ota/day-budget.ts';
import { ROOT_FILE } from '../../ota/installation.ts';
import type { FetchedRelease } from '../../ota/releases.ts';
import type { SlotState } from '../../ota/slot-state.ts';
import type { HttpGet } from '../../ota/transfer.ts';
import type { CameraClock } from '../clock/camera-clock.ts';
import type { AgentLog } from '../log.ts';
import type { OwnSlot } from './own-slot.ts';

export interface CheckRepositoryOptions {
  readonly own: OwnSlot;
  /** The camera's own: metadata, and what is fetched. */
  readonly directory: string;
  readonly camera: string;
  readonly disk: Disk;
  readonly clock: CameraClock;
  readonly logger: AgentLog;
}

/** What is checked: the server's repository, or one that was brought by hand. */
export interface CheckSource extends Pick<CheckOptions, 'among' | 'choose' | 'heard'> {
  readonly get: HttpGet;
  readonly byHand?: boolean;
}

/** Judges what a repository offers to the camera whose slots are in this state. @throws as checkForUpdate. */
export async function checkRepository(
  { own, directory, camera, disk, clock, logger }: CheckRepositoryOptions,
  state: SlotState,
  { byHand = false, ...source }: CheckSource,
  signal: AbortSignal,
): Promise<Check> {
  const { trust, directory: installation } = own.installation;
  const metadata = join(directory, 'metadata');
  await mkdir(metadata, { recursive: true, mode: 0o700 });
  const scratch = join(directory, 'scratch');
  // A life that was killed at a check has left its copy there.
  await rm(scratch, { recursive: true, force: true });
  const { version, counter } = own.bundle;
  const check = await checkForUpdate({
    ...source,
    heard: (offer) => {
      if (offer.issuedMs !== undefined) clock.trust(offer.issuedMs);
      source.heard?.(offer);
    },
    clock,
    signal,
    disk,
    directory: metadata,
    shippedRoot: await readFile(join(installation, ROOT_FILE)),
    scratch,
    trustedTimeMs: clock.trustedMs,
    candidate: {
      camera,
      product: trust.product,
      hardware: trust.hardware,
      version,
      counter,
      minimum: state.minimum,
      failed: state.refused.map((each) => each.counter),
      byHand,
    },
    trust: { ...trust, keysCounter: state.keys },
  });
  const judged = check.choice.judged.map(({ release, judgement }) => `${release.version}: ${judgement}`);
  logger.info({ running: version, releases: judged, byHand }, 'checked for updates');
  return check;
}

/** Brings a release into the camera's `incoming`. @param day what may come today, from a server. @returns bytes taken. @throws as bringRelease. */
export function bring(
  { own, directory, disk, clock, logger }: CheckRepositoryOptions,
  found: FetchedRelease,
  get: HttpGet,
  signal: AbortSignal,
  day?: DayAllowance,
): Promise<number> {
  const incoming = join(directory, 'incoming');
  const log = (message: string, fields: object) => logger.info(fields, message);
  return bringRelease({ get, clock, signal, disk, incoming, slots: [own], log, ...(day && { day }) }, found);
}
