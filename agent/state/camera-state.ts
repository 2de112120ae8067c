import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import * as v from 'valibot';
import { utf8 } from '../../crypto/bytes.ts';
import { parseJson } from '../../crypto/document.ts';
import { CryptoError } from '../../crypto/errors.ts';
import { parseSessionHeader } from '../../crypto/header.ts';
import { IdText } from '../../crypto/ids.ts';
import type { Policy } from '../../crypto/policy.ts';
import { writeFileAtomic } from '../../host/atomic-file.ts';
import type { Disk } from '../../host/disk.ts';
import { HostError } from '../../host/errors.ts';
import { readRegularFile } from '../../host/regular-file.ts';
import { decodeLastSession, LAST_SESSION_FILE, MAX_LAST_SESSION_LENGTH } from '../spool/last-session.ts';
import { type CameraDirectory, readLimited } from './camera-directory.ts';

/**
 * What a camera whose state.json is gone still knows of the policy that it obeyed: its last session was recorded under it.
 * Undefined for a camera that has never recorded: it begins. So does one whose `last-session` cannot be read, is damaged
 * or is a newer release's: it holds nothing that the camera could go by, and a camera that films is worth more.
 */
function policyOfLastSession({ spool }: Pick<CameraDirectory, 'spool'>): PolicySeen | undefined {
  try {
    const bytes = readRegularFile(join(spool, LAST_SESSION_FILE), { maxBytes: MAX_LAST_SESSION_LENGTH });
    const last = bytes === undefined ? undefined : decodeLastSession(bytes, { crc32 });
    if (last === undefined) return undefined;
    const { policyEpoch: epoch, policyCounter: counter } = parseSessionHeader(last.session.header);
    return { epoch, counter };
  } catch (error) {
    if (error instanceof HostError || error instanceof CryptoError) return undefined;
    throw error;
  }
}

export interface DayKeyUse {
  readonly number: number;
  /** Time recorded under it so far, milliseconds. */
  readonly recordedMs: number;
}

const MAX_STATE_BYTES = 4096;
const counter = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const use = v.strictObject({ number: counter, recordedMs: counter });

const StateFile = v.strictObject({
  /** The policy obeyed last. */
  policy: v.optional(v.strictObject({ epoch: counter, counter, digest: v.pipe(v.string(), v.length(64)) })),
  /** The highest day key in use: all that a release knows which keeps one number for all viewers. */
  dayKey: v.optional(use),
});
type StateFile = v.InferOutput<typeof StateFile>;
export type PolicyKept = NonNullable<StateFile['policy']>;
/** The policy obeyed last; its digest is unknown where all but the last session is lost. */
type PolicySeen = Omit<PolicyKept, 'digest'> & Partial<Pick<PolicyKept, 'digest'>>;

const DayKeysFile = v.strictObject({
  /** The day key in use for each viewer, by viewer id. */
  viewers: v.record(IdText, use),
});
type DayKeysInUse = v.InferOutput<typeof DayKeysFile>['viewers'];

/** What a camera must not forget across restarts, in two small files, each written atomically. */
export class CameraState {
  readonly #directory: CameraDirectory;
  readonly #disk: Disk;
  #state: StateFile;
  #dayKeys: DayKeysInUse | undefined;
  /** A lost state is no beginning: what the last session was recorded under counts. */
  readonly #recovered: PolicySeen | undefined;
  #written: Promise<void> = Promise.resolve();

  constructor(directory: CameraDirectory, disk: Disk) {
    this.#directory = directory;
    this.#disk = disk;
    const state = read(directory.state, StateFile);
    this.#recovered = state === undefined ? policyOfLastSession(directory) : undefined;
    this.#state = state ?? {};
    const kept = read(directory.dayKeys, DayKeysFile)?.viewers;
    // An earlier release that ran in between has moved on its one number alone.
    const outrun = kept !== undefined && (this.#state.dayKey?.number ?? 0) > (highestOf(kept)?.number ?? 0);
    this.#dayKeys = outrun ? undefined : kept;
  }

  get policy(): PolicySeen | undefined {
    return this.#state.policy ?? this.#recovered;
  }

  /** The highest day key in use. */
  get dayKey(): DayKeyUse | undefined {
    return this.#state.dayKey;
  }

  /** The day key in use for a viewer; what an earlier release kept counted for all of them. @param viewer id as text. */
  dayKeyOf(viewer: string): DayKeyUse | undefined {
    return this.#dayKeys === undefined ? this.#state.dayKey : this.#dayKeys[viewer];
  }

  /** Until it is written it does not count. @throws HostError. */
  async keepPolicy(policy: PolicyKept): Promise<void> {
    const { dayKey } = this.#state;
    await this.#write(this.#directory.state, () => ({ policy, dayKey }));
    this.#state = { ...this.#state, policy };
  }

  async keepDayKeys(viewers: DayKeysInUse): Promise<void> {
    this.#dayKeys = viewers;
    const dayKeys = () => this.#write(this.#directory.dayKeys, () => ({ viewers }));
    const before = this.#state.dayKey?.number ?? -1;
    const highest = highestOf(viewers);
    if (highest === undefined || highest.number === before) return dayKeys();
    this.#state = { ...this.#state, dayKey: highest };
    const state = () => this.#write(this.#directory.state, () => ({ ...this.#state, dayKey: highest }));
    // Wherever it is cut off, state.json is not ahead: it would be taken for an earlier release's.
    for (const write of highest.number > before ? [dayKeys, state] : [state, dayKeys]) await write();
  }

  /** One after the other: a file may not be written twice at a time. @param value asked for once its turn has come. */
  #write(path: string, value: () => object): Promise<void> {
    const write = () => writeFileAtomic(this.#disk, path, utf8(`${JSON.stringify(value())}\n`), 0o600);
    this.#written = this.#written.then(write, write);
    return this.#written;
  }
}

const highestOf = (viewers: DayKeysInUse): DayKeyUse | undefined =>
  Object.values(viewers).sort((a, b) => b.number - a.number)[0];

/** Undefined when there is no such file. @throws CryptoError DOCUMENT_MALFORMED; CameraError FILE_UNREADABLE. */
function read<const S extends v.GenericSchema>(path: string, schema: S): v.InferOutput<S> | undefined {
  return existsSync(path) ? parseJson(readLimited(path, MAX_STATE_BYTES), schema, path) : undefined;
}

/** What is judged of a policy file. */
interface PolicyCandidate {
  readonly policy: Pick<Policy, 'epoch' | 'counter'>;
  readonly version: 1 | 2;
  /** As crypto/policy.ts gives it, hexadecimal. */
  readonly digest: string;
}

/**
 * Whether a camera obeys a policy, given the one it obeyed last: never an older one, and not another of the same
 * counter, which only an owner who signs carelessly, or a thief of the owner's key, can make. One of version 1 binds no
 * day keys: `unbound`, unless it is the very file that was obeyed before.
 */
export function judgePolicy(
  seen: PolicySeen | undefined,
  { policy, version, digest }: PolicyCandidate,
): 'new' | 'same' | 'older' | 'conflicting' | 'unbound' {
  const order = seen === undefined ? 1 : policy.epoch - seen.epoch || policy.counter - seen.counter;
  if (order < 0) return 'older';
  if (order === 0 && digest === seen?.digest) return 'same';
  if (version === 1) return 'unbound';
  return order > 0 || seen?.digest === undefined ? 'new' : 'conflicting';
}
