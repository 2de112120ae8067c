import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openDirectory } from '../../cli/footage/open-footage.ts';
import { isZero, toHex } from '../../crypto/bytes.ts';
import {
  cameraIdOf,
  DIGEST_LENGTH,
  idText,
  PREVIOUS_UNKNOWN,
  SEGMENT_HEADER_LENGTH,
} from '../../crypto/header.ts';
import { type Mark, makeMarkRecord } from '../../crypto/mark.ts';
import type { DeviceSigner } from '../../crypto/primitives.ts';
import { nodePrimitives } from '../../crypto/primitives-node.ts';
import { SegmentSealer } from '../../crypto/sealer.ts';
import { type BegunSession, beginSession } from '../../crypto/session.ts';
import { parseSnapshot } from '../../crypto/snapshot.ts';
import { SnapshotSealer } from '../../crypto/snapshot-sealer.ts';
import { dayKeyHolder, makeViewingKey, type ViewingKey, writeViewingKey } from '../../crypto/viewing-key.ts';
import {
  SESSION_HEADER_FILE,
  segmentFileName,
  sessionDirectoryName,
  snapshotFileName,
} from '../../wire/footage-layout.ts';
import { makeSigner } from '../crypto/camera.ts';
import { recordsOf } from '../e2e/footage-copy.ts';
import { minimalFragment, minimalInit } from '../media/minimal.ts';

const BEGIN_MS = 1_790_000_000_000;
const SESSION_MS = 600_000;
const SEGMENT_US = 4_000_000;
const NO_DIGEST = new Uint8Array(DIGEST_LENGTH);

export interface MadeVideo {
  readonly init: Uint8Array;
  /** Begins with a keyframe. */
  readonly fragment: Uint8Array;
}

export interface SessionOptions {
  readonly number: number;
  /** How each segment ends. */
  readonly segments: readonly ('next' | 'final' | 'open')[];
  /** What its header says of the end of the session before; that session's, if not given. */
  readonly previousSegments?: number;
  readonly previousDigest?: Uint8Array;
  /** Hash of the session that it names as the one before; that one's, if not given. */
  readonly previousSession?: Uint8Array;
  /** Of its header, milliseconds since 1970. */
  readonly timeMs?: number;
  /** When each segment begins, ms since the session's first usually would; one after the other, if not given. */
  readonly startsMs?: readonly number[];
  /** Number of the day key that it is sealed to; 0, if not given. */
  readonly dayKey?: number;
  /** The number of the session that it follows; the one made before it otherwise. */
  readonly after?: number;
}

/** Media that holds no picture, for footage that is made without filming. */
const NO_PICTURE: MadeVideo = { init: minimalInit(), fragment: minimalFragment() };

/** Footage as cameras of one owner would leave it at a server, made without filming: there are no pictures in it. */
export class MadeFootage {
  readonly directory = mkdtempSync(join(tmpdir(), 'oriel-made-'));
  readonly camera: string;
  readonly #signer: DeviceSigner;
  readonly #key: ViewingKey;
  readonly #video: MadeVideo;
  #sessions: MadeSession[] = [];

  private constructor(signer: DeviceSigner, camera: string, key: ViewingKey, video: MadeVideo) {
    this.#signer = signer;
    this.#video = video;
    this.camera = camera;
    this.#key = { ...key, cameras: [{ id: camera, name: 'Door', epoch: 1, counter: 1 }] };
    this.trust();
  }

  static of(...sessions: readonly SessionOptions[]): Promise<MadeFootage> {
    return MadeFootage.filmed(NO_PICTURE, ...sessions);
  }

  /** Footage with a picture in it: each segment holds this one fragment. */
  static async filmed(video: MadeVideo, ...sessions: readonly SessionOptions[]): Promise<MadeFootage> {
    const signer = makeSigner();
    const camera = idText(await cameraIdOf(signer.point, nodePrimitives));
    const days = Math.max(0, ...sessions.map(({ dayKey = 0 }) => dayKey)) + 1;
    const key = await makeViewingKey('test', new Uint8Array(randomBytes(32)), days);
    const footage = new MadeFootage(signer, camera, key, video);
    for (const wish of sessions) await footage.#film(wish);
    return footage;
  }

  /** Lays down a directory under the name of a session, with what is no session header in it. */
  litter(number: number): void {
    const path = join(
      this.directory,
      'footage',
      this.camera,
      sessionDirectoryName({ number, id: toHex(randomBytes(16)) }),
    );
    mkdirSync(path);
    writeFileSync(join(path, SESSION_HEADER_FILE), randomBytes(300));
  }

  /** Has the key trust other cameras besides. */
  trust(...others: readonly { readonly id: string; readonly name: string }[]): void {
    const cameras = [...this.#key.cameras, ...others.map((other) => ({ ...other, epoch: 1, counter: 1 }))];
    writeFileSync(this.keyPath, writeViewingKey({ ...this.#key, cameras }), { mode: 0o600 });
  }

  /** Takes a day key out of the viewing key. */
  forgetDayKey(number: number): void {
    const dayKeys = this.#key.dayKeys.filter((day) => day.number !== number);
    writeFileSync(this.keyPath, writeViewingKey({ ...this.#key, dayKeys }), { mode: 0o600 });
  }

  get keyPath(): string {
    return join(this.directory, 'viewing.key');
  }

  session(number: number): MadeSession {
    const found = this.#sessions.find((session) => session.number === number);
    if (found === undefined) throw new Error(`no session ${number}`);
    return found;
  }

  async verify() {
    return openDirectory({ ...this.request, out: undefined, force: false });
  }

  /** As `oriel footage open`, to out.mp4 in its directory. */
  async open() {
    return openDirectory({ ...this.request, out: join(this.directory, 'out.mp4'), force: true });
  }

  get request() {
    const { directory, keyPath } = this;
    const range = { fromMs: 0, toMs: Number.POSITIVE_INFINITY };
    return { directory: join(directory, 'footage'), keyPath, camera: undefined, range };
  }

  remove(): void {
    rmSync(this.directory, { recursive: true });
  }

  async #film(wish: SessionOptions): Promise<void> {
    const { number, segments, previousSession, previousSegments, previousDigest, timeMs, dayKey = 0 } = wish;
    const before = wish.after === undefined ? this.#sessions.at(-1) : this.session(wish.after);
    const holder = await dayKeyHolder(this.#key, nodePrimitives);
    const recipients = this.#key.dayKeys
      .filter((day) => day.number === dayKey)
      .map((day) => ({ viewer: holder.viewer, dayKey, publicKey: day.publicKey }));
    const id = randomBytes(16);
    const named = previousSession ?? before?.begun.hash ?? NO_DIGEST;
    const known = isZero(named) ? undefined : before?.segments;
    const stated = previousSegments ?? known ?? PREVIOUS_UNKNOWN;
    const fields = {
      id,
      number,
      timeMs: timeMs ?? BEGIN_MS + number * SESSION_MS,
      previousSession: named,
      previousSegments: stated,
      previousDigest:
        previousDigest ?? (stated === PREVIOUS_UNKNOWN ? undefined : before?.digest) ?? NO_DIGEST,
      policyEpoch: 1,
      policyCounter: 1,
    };
    const begun = await beginSession(fields, recipients, this.#signer, nodePrimitives);
    const name = sessionDirectoryName({ number, id: toHex(id) });
    const path = join(this.directory, 'footage', this.camera, name);
    mkdirSync(path, { recursive: true });
    writeFileSync(join(path, SESSION_HEADER_FILE), begun.header);
    const session = new MadeSession(number, path, begun, this.#signer, this.#video);
    for (const [index, end] of segments.entries()) await session.add(end, {}, wish.startsMs?.[index]);
    this.#sessions.push(session);
  }
}

export class MadeSession {
  readonly number: number;
  readonly begun: BegunSession;
  readonly path: string;
  readonly #signer: DeviceSigner;
  readonly #video: MadeVideo;
  #snapshots: SnapshotSealer | undefined;
  segments = 0;
  /** Of the last segment; undefined when that has no end. */
  digest: Uint8Array | undefined;

  constructor(number: number, path: string, begun: BegunSession, signer: DeviceSigner, video: MadeVideo) {
    this.number = number;
    this.begun = begun;
    this.path = path;
    this.#signer = signer;
    this.#video = video;
  }

  /** Adds a snapshot. @param afterMs since the session's first segment. @returns its path. */
  async addSnapshot(picture: Uint8Array, afterMs: number): Promise<string> {
    const camera = await cameraIdOf(this.#signer.point, nodePrimitives);
    const { hash: sessionHash, secret } = this.begun;
    this.#snapshots ??= new SnapshotSealer({ camera, sessionHash, secret }, nodePrimitives, this.#signer);
    const snapshot = this.#snapshots.seal(picture, BEGIN_MS + this.number * SESSION_MS + afterMs);
    const path = join(this.path, snapshotFileName(parseSnapshot(snapshot).header.number));
    writeFileSync(path, snapshot);
    return path;
  }

  /**
   * Adds a segment. @param media what is sealed in it instead of what is in the others.
   * @param startMs when it begins, ms since the session's first usually would.
   */
  async add(
    end: SessionOptions['segments'][number],
    media: Partial<MadeVideo> = {},
    startMs?: number,
  ): Promise<void> {
    const { sealer, frames } = await this.#seal(this.segments, media, startMs);
    if (end !== 'open') frames.push(sealer.close(this.digest, end === 'final').bytes);
    this.#write(this.segments, [sealer.header, ...frames]);
    this.segments += 1;
    this.digest = end === 'open' ? undefined : sealer.digest;
  }

  /** Adds a segment that the camera did not close but marked. @param fragments how many. */
  async addMarked(
    mark: Pick<Mark, 'kind' | 'placed'> & Partial<Pick<Mark, 'lostUs'>>,
    fragments: number,
  ): Promise<void> {
    const { sealer, frames } = await this.#seal(this.segments);
    while (frames.length <= fragments) {
      frames.push(sealer.sealFragment(minimalFragment(frames.length * 100, 100), 20_000).bytes);
    }
    const at = frames.reduce((sum, { length }) => sum + length, sealer.header.length);
    const place = { headerHash: sealer.headerHash, at };
    const statement = { vouchedRecords: 0, vouchedDigest: NO_DIGEST, lostUs: 0, timeMs: BEGIN_MS, ...mark };
    frames.push(makeMarkRecord(statement, place, this.#signer, nodePrimitives.crc32));
    this.#write(this.segments, [sealer.header, ...frames]);
    this.segments += 1;
    this.digest = undefined;
  }

  /** What another viewer can make, who has the session's secret and the server, not the device key. */
  async forge(sequence: number): Promise<void> {
    const { sealer, frames } = await this.#seal(sequence);
    this.#write(sequence, [sealer.header, ...frames]);
  }

  /** Lays down what is no segment, under the name of one. */
  litter(sequence: number): void {
    this.#write(sequence, [randomBytes(200)]);
  }

  /** Flips a bit of what its header's signature covers. */
  spoilHeader(): void {
    const path = join(this.path, SESSION_HEADER_FILE);
    const bytes = readFileSync(path);
    bytes[104] = (bytes[104] ?? 0) ^ 1;
    writeFileSync(path, bytes);
  }

  /** Takes so many records away before the last one of a segment. */
  takeRecords(sequence: number, count: number): void {
    const path = join(this.path, segmentFileName(sequence));
    const bytes = readFileSync(path);
    const records = recordsOf(bytes);
    const left = records.toSpliced(records.length - 1 - count, count);
    writeFileSync(path, Buffer.concat([bytes.subarray(0, SEGMENT_HEADER_LENGTH), ...left]));
  }

  /** Leaves so many of the files of its segments. */
  keep(count: number): void {
    const files = readdirSync(this.path).filter((name) => name.endsWith('.oriel'));
    for (const name of files.sort().slice(count)) rmSync(join(this.path, name));
  }

  remove(): void {
    rmSync(this.path, { recursive: true });
  }

  async #seal(sequence: number, media: Partial<MadeVideo> = {}, startMs = (sequence * SEGMENT_US) / 1000) {
    const { init, fragment } = { ...this.#video, ...media };
    const camera = await cameraIdOf(this.#signer.point, nodePrimitives);
    const timeMs = BEGIN_MS + this.number * SESSION_MS + startMs;
    const header = { camera, sessionHash: this.begun.hash, sequence, timeMs };
    const sealer = new SegmentSealer(this.begun.secret, header, nodePrimitives, this.#signer);
    const opening = { run: randomBytes(8), timescale: 12_800, decodeTime: 0, codecs: 'avc1.64001f' };
    const frames = [
      sealer.sealOpening({ ...opening, init }).bytes,
      sealer.sealFragment(fragment, SEGMENT_US).bytes,
    ];
    return { sealer, frames };
  }

  #write(sequence: number, parts: readonly Uint8Array[]): void {
    const path = join(this.path, segmentFileName(sequence));
    writeFileSync(path, Buffer.concat(parts));
  }
}
