import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sessionDirectoryName } from '../../cli/footage/footage-directory.ts';
import { openFootage } from '../../cli/footage/open-footage.ts';
import { toHex } from '../../crypto/bytes.ts';
import { cameraIdOf, DIGEST_LENGTH, idText, PREVIOUS_UNKNOWN } from '../../crypto/header.ts';
import type { DeviceSigner } from '../../crypto/primitives.ts';
import { nodePrimitives } from '../../crypto/primitives-node.ts';
import { SegmentSealer } from '../../crypto/sealer.ts';
import { type BegunSession, beginSession } from '../../crypto/session.ts';
import { dayKeyHolder, makeViewingKey, type ViewingKey, writeViewingKey } from '../../crypto/viewing-key.ts';
import { makeSigner } from '../crypto/camera.ts';

const BEGIN_MS = 1_790_000_000_000;
const SESSION_MS = 600_000;
const SEGMENT_US = 4_000_000;

export interface SessionWish {
  readonly number: number;
  /** How each segment ends. */
  readonly segments: readonly ('next' | 'final' | 'open')[];
  /** What its header says of the end of the session before; that session's, if not given. */
  readonly previousSegments?: number;
  readonly previousDigest?: Uint8Array;
  /** Of its header, milliseconds since 1970. */
  readonly timeMs?: number;
}

/** Footage as cameras of one owner would leave it at a server, made without filming: there are no pictures in it. */
export class MadeFootage {
  readonly directory = mkdtempSync(join(tmpdir(), 'oriel-made-'));
  readonly camera: string;
  readonly #signer: DeviceSigner;
  readonly #key: ViewingKey;
  #sessions: MadeSession[] = [];

  private constructor(signer: DeviceSigner, camera: string, key: ViewingKey) {
    this.#signer = signer;
    this.camera = camera;
    this.#key = { ...key, cameras: [{ id: camera, name: 'Door', epoch: 1, counter: 1 }] };
    this.trust();
  }

  static async of(...sessions: readonly SessionWish[]): Promise<MadeFootage> {
    const signer = makeSigner();
    const camera = idText(await cameraIdOf(signer.point, nodePrimitives));
    const key = await makeViewingKey('test', new Uint8Array(randomBytes(32)), 1);
    const footage = new MadeFootage(signer, camera, key);
    for (const wish of sessions) await footage.#film(wish);
    return footage;
  }

  /** Has the key trust other cameras besides. */
  trust(...others: readonly { readonly id: string; readonly name: string }[]): void {
    const cameras = [...this.#key.cameras, ...others.map((other) => ({ ...other, epoch: 1, counter: 1 }))];
    writeFileSync(this.keyPath, writeViewingKey({ ...this.#key, cameras }), { mode: 0o600 });
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
    const { directory, keyPath } = this;
    const range = { fromMs: 0, toMs: Number.POSITIVE_INFINITY };
    const asked = { directory: join(directory, 'footage'), keyPath, camera: undefined, range };
    return openFootage({ ...asked, out: undefined, force: false });
  }

  remove(): void {
    rmSync(this.directory, { recursive: true });
  }

  async #film({ number, segments, previousSegments, previousDigest, timeMs }: SessionWish): Promise<void> {
    const before = this.#sessions.at(-1);
    const holder = await dayKeyHolder(this.#key, nodePrimitives);
    const recipients = this.#key.dayKeys.map((day) => ({
      viewer: holder.viewer,
      dayKey: day.number,
      publicKey: day.publicKey,
    }));
    const id = randomBytes(16);
    const fields = {
      id,
      number,
      timeMs: timeMs ?? BEGIN_MS + number * SESSION_MS,
      previousSession: before?.begun.hash ?? new Uint8Array(DIGEST_LENGTH),
      previousSegments: previousSegments ?? before?.segments ?? PREVIOUS_UNKNOWN,
      previousDigest: previousDigest ?? before?.digest ?? new Uint8Array(DIGEST_LENGTH),
      policyEpoch: 1,
      policyCounter: 1,
    };
    const begun = await beginSession(fields, recipients, this.#signer, nodePrimitives);
    const name = sessionDirectoryName(number, toHex(id));
    const path = join(this.directory, 'footage', this.camera, name);
    mkdirSync(path, { recursive: true });
    writeFileSync(join(path, 'session'), begun.header);
    const session = new MadeSession(number, path, begun, this.#signer);
    for (const end of segments) await session.add(end);
    this.#sessions.push(session);
  }
}

export class MadeSession {
  readonly number: number;
  readonly begun: BegunSession;
  readonly #path: string;
  readonly #signer: DeviceSigner;
  segments = 0;
  /** Of the last segment; undefined when that has no end. */
  digest: Uint8Array | undefined;

  constructor(number: number, path: string, begun: BegunSession, signer: DeviceSigner) {
    this.number = number;
    this.begun = begun;
    this.#path = path;
    this.#signer = signer;
  }

  async add(end: SessionWish['segments'][number]): Promise<void> {
    const { sealer, frames } = await this.#seal(this.segments);
    if (end !== 'open') frames.push(sealer.close(this.digest, end === 'final').bytes);
    this.#write(this.segments, [sealer.header, ...frames]);
    this.segments += 1;
    this.digest = end === 'open' ? undefined : sealer.digest;
  }

  /** What another viewer can make, who has the session's secret and the server, not the device key. */
  async forge(sequence: number): Promise<void> {
    const { sealer, frames } = await this.#seal(sequence);
    this.#write(sequence, [sealer.header, ...frames]);
  }

  /** Leaves so many of the files of its segments. */
  keep(count: number): void {
    const files = readdirSync(this.#path).filter((name) => name.endsWith('.oriel'));
    for (const name of files.sort().slice(count)) rmSync(join(this.#path, name));
  }

  remove(): void {
    rmSync(this.#path, { recursive: true });
  }

  async #seal(sequence: number) {
    const camera = await cameraIdOf(this.#signer.point, nodePrimitives);
    const timeMs = BEGIN_MS + this.number * SESSION_MS + (sequence * SEGMENT_US) / 1000;
    const header = { camera, sessionHash: this.begun.hash, sequence, timeMs };
    const sealer = new SegmentSealer(this.begun.secret, header, nodePrimitives, this.#signer);
    const opening = { run: randomBytes(8), timescale: 12_800, decodeTime: 0, codecs: 'avc1.64001f' };
    const frames = [
      sealer.sealOpening({ ...opening, init: randomBytes(100) }).bytes,
      sealer.sealFragment(randomBytes(100), SEGMENT_US).bytes,
    ];
    return { sealer, frames };
  }

  #write(sequence: number, parts: readonly Uint8Array[]): void {
    const path = join(this.#path, `${String(sequence).padStart(6, '0')}.oriel`);
    writeFileSync(path, Buffer.concat(parts));
  }
}
