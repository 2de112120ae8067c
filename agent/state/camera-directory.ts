import { closeSync, constants, existsSync, fchmodSync, fstatSync, mkdirSync, openSync } from 'node:fs';
import { dirname, join } from 'node:path';
import * as v from 'valibot';
import { bytesField, parseJson } from '../../crypto/document.ts';
import { Origin } from '../../crypto/origin.ts';
import { Pin } from '../../crypto/pin.ts';
import { asOwnerOfSync } from '../../host/as-owner.ts';
import { HostError } from '../../host/errors.ts';
import { readRegularFile } from '../../host/regular-file.ts';
import { KEYFRAME_FIFO, SNAPSHOT_FIFO } from '../capture/snapshot-frame.ts';
import { CameraError } from './errors.ts';
import { isOfCamera, isReadOnly, ON_A_BOARD, runElsewhere } from './run-elsewhere.ts';

/**
 * A camera's directory: what it is, whom it serves, and what it keeps (docs/design/architecture.md lists the files).
 * Everything in it is readable by its owner alone.
 */
export class CameraDirectory {
  readonly path: string;
  readonly #run: string | undefined;

  /** @param run the run directory, where that is decided already: by the launcher, for all its processes. */
  constructor(path: string, run?: string) {
    this.path = path;
    this.#run = run;
  }

  readonly #file = (name: string) => join(this.path, name);

  get config(): string {
    return this.#file('camera.json');
  }
  get deviceKey(): string {
    return this.#file('device.key');
  }
  get request(): string {
    return this.#file('request.pem');
  }
  get certificate(): string {
    return this.#file('client.pem');
  }
  get policy(): string {
    return this.#file('policy.json');
  }
  /** How the camera was paired; until it is enrolled, the claim token too. */
  get pairing(): string {
    return this.#file('pairing.json');
  }
  /** The Wi-Fi network that came with the setup code, for the board's own network setup to join; no part of Oriel does. */
  get wifi(): string {
    return this.#file('wifi.json');
  }
  /** A setup code put here is taken by `oriel camera setup`, and removed. */
  get setupCode(): string {
    return this.#file('setup-code');
  }
  /** The pin statement that the camera obeys; none while the server of the set-up counts. */
  get pins(): string {
    return this.#file('pins');
  }
  /** A pin statement put here is taken by the agent, and removed. */
  get pinsInbox(): string {
    return this.#file('pin-statement');
  }
  /** The newest time known to be past. */
  get trustedTime(): string {
    return this.#file('time.json');
  }
  /** Highest policy counter obeyed, and the highest day key in use. */
  get state(): string {
    return this.#file('state.json');
  }
  /** The day key in use for each viewer. */
  get dayKeys(): string {
    return this.#file('day-keys.json');
  }
  /** What became of all that the camera ever captured. */
  get account(): string {
    return this.#file('account.json');
  }

  get gaps(): string {
    return this.#file('gaps.json');
  }
  /** Metadata of updates, and what was fetched of one. */
  get updates(): string {
    return this.#file('updates');
  }
  get spool(): string {
    return this.#file('spool');
  }
  /** What the processes show of themselves and the FIFOs between them; nothing in it outlives a restart. */
  get run(): string {
    return dirname(this.captureRun);
  }
  /**
   * The same camera, for a process that goes by one run directory to its end, whatever its card turns into: elsewhere
   * where the card is read-only now.
   */
  withRun(): CameraDirectory {
    if (this.#run !== undefined) return this;
    return new CameraDirectory(this.path, this.isReadOnly ? this.runElsewhere : this.#file('run'));
  }
  /** Where the run directory is made on a read-only card. */
  get runElsewhere(): string {
    return runElsewhere(this.path);
  }
  get isReadOnly(): boolean {
    return isReadOnly(this.path);
  }
  /** Where the camera is claimed while its own directory takes no file. */
  get claimsElsewhere(): string {
    return `${this.runElsewhere}.claims`;
  }
  get status(): string {
    return this.#inRun('status.json');
  }
  /** The status of a camera whose card has become read-only since it was started. */
  get statusElsewhere(): string {
    return join(this.runElsewhere, 'status.json');
  }
  /**
   * Written each time the server cannot be reached, so that the packet filter is filled again; nobody reads it. The first
   * of them that takes a file: oriel-camera-firewall.path watches both, and no name that is made of an inode.
   */
  get unreachable(): string[] {
    return [this.#file('run'), ON_A_BOARD].map((place) => join(place, 'unreachable'));
  }
  /** The one place where capture, with a user of its own, may write; the agent believes nothing in it. */
  get captureRun(): string {
    return this.#inRun('capture');
  }
  get mediaFifo(): string {
    return join(this.captureRun, 'media.fifo');
  }
  get captureFifo(): string {
    return join(this.captureRun, 'capture.fifo');
  }
  /** Keyframes on their way to capture, of which it makes snapshots. */
  get keyframeFifo(): string {
    return join(this.captureRun, KEYFRAME_FIFO);
  }
  /** The pictures on their way back. */
  get snapshotFifo(): string {
    return join(this.captureRun, SNAPSHOT_FIFO);
  }

  /** Where it is not decided, what lies elsewhere counts: a launcher that makes the one in here removes that. */
  #inRun(name: string): string {
    if (this.#run !== undefined) return join(this.#run, name);
    const path = existsSync(this.path) ? join(this.runElsewhere, name) : undefined;
    if (path !== undefined && existsSync(path) && isOfCamera(this.runElsewhere, this.path)) return path;
    return join(this.#file('run'), name);
  }

  /**
   * Root makes it with the rights of the owner of the one above. A directory that is there already keeps its mode but for
   * what it would give to everybody.
   * @throws HostError FILE_UNFIT where something else has taken its place meanwhile.
   */
  make(): void {
    asOwnerOfSync(this.path, () => this.#make());
  }

  #make(): void {
    const isNew = mkdirSync(this.path, { recursive: true, mode: 0o700 }) !== undefined;
    const directory = openDirectory(this.path, isNew);
    try {
      fchmodSync(directory, fstatSync(directory).mode & 0o770);
    } finally {
      closeSync(directory);
    }
  }

  exists(): boolean {
    return existsSync(this.config);
  }

  /** Whether it is there for a camera to come: one that was enrolled and has lost its configuration is damaged. */
  isBlank(): boolean {
    return existsSync(this.path) && !this.exists() && !existsSync(this.certificate);
  }

  /** @param owner as for readLimited. @throws CameraError CAMERA_MISSING, CONFIG_MALFORMED, FILE_UNREADABLE. */
  readConfig(owner?: number): CameraConfig {
    if (!this.exists()) {
      throw new CameraError(
        'CAMERA_MISSING',
        `${this.path} holds no camera; set one up with: oriel camera setup`,
      );
    }
    try {
      return parseJson(readLimited(this.config, MAX_CONFIG_BYTES, owner), CameraConfig, 'camera.json');
    } catch (cause) {
      if (cause instanceof CameraError) throw cause;
      const why = `${(cause as Error).message}; correct it, or ${this.makeAnew}`;
      throw new CameraError('CONFIG_MALFORMED', `${this.config}: ${why}`, cause);
    }
  }

  /** For people, where a file cannot be restored that only another set-up makes. */
  get makeAnew(): string {
    const { path } = this;
    return `make another camera of it: oriel camera reset ${path} --yes, then oriel camera setup ${path} --code FILE --source SOURCE`;
  }
}

/** @param isNew whether it was made a moment ago, and can be no symbolic link but one that somebody has laid since. */
function openDirectory(path: string, isNew: boolean): number {
  const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW } = constants;
  try {
    return openSync(path, O_RDONLY | O_DIRECTORY | (isNew ? O_NOFOLLOW : 0));
  } catch (cause) {
    throw new HostError('FILE_UNFIT', `${path} cannot be opened, or is no directory`, cause);
  }
}

const MAX_CONFIG_BYTES = 64 * 1024;

export const CameraConfig = v.strictObject({
  version: v.literal(1),
  server: v.strictObject({ origin: Origin, pins: v.pipe(v.array(Pin), v.minLength(1), v.maxLength(2)) }),
  /** The owner's identity key: whose policy the camera obeys. */
  owner: bytesField(32),
  /** Where the video comes from: file:, test:, v4l2:, rtsp://. */
  source: v.pipe(v.string(), v.maxLength(2000)),
  /** Whether sound is wanted; the owner's policy has to allow it too. */
  audio: v.boolean(),
  /** Hosts an RTSP source may be on. */
  lan: v.pipe(v.array(v.pipe(v.string(), v.maxLength(255))), v.maxLength(32)),
  /** How often a snapshot is made, seconds; 0: only when asked for. A minute when it is not given. */
  snapshotSeconds: v.optional(v.pipe(v.number(), v.safeInteger(), v.minValue(0), v.maxValue(86_400))),
  /** How often the server is told how the camera is. */
  telemetrySeconds: v.optional(v.pipe(v.number(), v.safeInteger(), v.minValue(5), v.maxValue(3_600))),
  spool: v.strictObject({
    /** The spool's greatest size on disk, bytes. */
    maxBytes: v.pipe(v.number(), v.safeInteger(), v.minValue(1024 * 1024)),
    /** What it leaves free on its file system, bytes. */
    minFreeBytes: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
  }),
});
export type CameraConfig = v.InferOutput<typeof CameraConfig>;
/** As it stands in camera.json. */
export type CameraConfigText = v.InferInput<typeof CameraConfig>;

/**
 * Reads a regular text file whole, never waiting for one that is none.
 * @param owner who has to own it; none when the directory belongs to the reader, who may have laid down a link.
 * @throws CameraError FILE_UNREADABLE.
 */
export function readLimited(path: string, maxBytes: number, owner?: number): string {
  try {
    const bytes = readRegularFile(path, owner === undefined ? { maxBytes, link: true } : { maxBytes, owner });
    if (bytes !== undefined) return bytes.toString('utf8');
  } catch (cause) {
    throw new CameraError('FILE_UNREADABLE', (cause as Error).message, cause);
  }
  throw new CameraError('FILE_UNREADABLE', `cannot read ${path}: there is no such file`);
}
