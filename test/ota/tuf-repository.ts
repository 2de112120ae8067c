import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TargetFile } from '@tufjs/models';
import type { HttpGet } from '../../ota/transfer.ts';
import {
  makeRoot,
  makeSnapshot,
  makeTarget,
  makeTargets,
  makeTimestamp,
  type RoleRings,
  type Signer,
  signMetadata,
  targetFileName,
  writeMetadata,
} from '../../ota/tuf-metadata.ts';
import { httpGetFrom } from './http-get.ts';
import { type MakerKey, makeKey } from './maker.ts';

/** A repository in memory whose every document a test can bend, and a real server for it. */

export const signerOf = (key: MakerKey): Signer => ({
  publicKey: key.publicKey,
  sign: (message) => key.sign(message).signature,
});

export const DAY_MS = 86_400_000;
export const iso = (ms: number) => `${new Date(ms).toISOString().slice(0, 19)}Z`;
/** The time by which these tests judge; the machine's clock has no part in it. */
export const NOW = Date.parse('2031-05-01T12:00:00Z');

export interface RoleKeys {
  root: MakerKey[];
  targets: MakerKey[];
  snapshot: MakerKey[];
  timestamp: MakerKey[];
}

export class TufRepository {
  /** What is served, by path. */
  readonly files = new Map<string, Uint8Array>();
  readonly requests: string[] = [];
  readonly keys: RoleKeys;
  readonly targets: Record<string, TargetFile> = {};
  readonly versions = { root: 0, targets: 0, snapshot: 0, timestamp: 0 };
  readonly expires = {
    root: NOW + 365 * DAY_MS,
    targets: NOW + 365 * DAY_MS,
    snapshot: NOW + 14 * DAY_MS,
    timestamp: NOW + 14 * DAY_MS,
  };
  /** What stands in place of an end, where a test wants another text. */
  readonly written: Partial<Record<keyof TufRepository['expires'], string>> = {};
  threshold = 2;
  root: Buffer = Buffer.alloc(0);

  constructor(keys?: RoleKeys) {
    const online = makeKey();
    this.keys = keys ?? {
      root: [makeKey(), makeKey()],
      targets: [makeKey(), makeKey()],
      snapshot: [online],
      timestamp: [online],
    };
    this.publishRoot();
    this.publish();
  }

  #end(role: keyof TufRepository['expires']): string {
    return this.written[role] ?? iso(this.expires[role]);
  }

  rings(): RoleRings {
    const ring = (keys: MakerKey[], threshold: number) => ({
      keys: keys.map(({ publicKey }) => publicKey),
      threshold,
    });
    return {
      root: ring(this.keys.root, this.threshold),
      targets: ring(this.keys.targets, this.threshold),
      snapshot: ring(this.keys.snapshot, 1),
      timestamp: ring(this.keys.timestamp, 1),
    };
  }

  /** A new root, by default signed by its own keys. */
  publishRoot(signers: readonly MakerKey[] = this.keys.root, version = ++this.versions.root): void {
    const metadata = makeRoot({ version, expires: this.#end('root') }, this.rings());
    this.root = writeMetadata(signMetadata(metadata, signers.map(signerOf)));
    this.files.set(`metadata/${version}.root.json`, this.root);
  }

  addTarget(path: string, content: string, custom?: Record<string, unknown>): void {
    const bytes = Buffer.from(content);
    const target = makeTarget(path, bytes, custom);
    this.targets[path] = target;
    this.files.set(`targets/${targetFileName(path, target.hashes.sha256 ?? '')}`, bytes);
  }

  /** New targets, snapshot and timestamp. */
  publish(signers: Partial<Omit<RoleKeys, 'root'>> = {}): void {
    const targets = this.publishTargets(signers.targets);
    const snapshot = this.publishSnapshot(targets, signers.snapshot);
    this.publishTimestamp(snapshot, signers.timestamp);
  }

  publishTargets(signers: readonly MakerKey[] = this.keys.targets): Buffer {
    const version = ++this.versions.targets;
    const edition = { version, expires: this.#end('targets') };
    const metadata = makeTargets(edition, iso(NOW), this.targets);
    const bytes = writeMetadata(signMetadata(metadata, signers.map(signerOf)));
    this.files.set(`metadata/${version}.targets.json`, bytes);
    return bytes;
  }

  publishSnapshot(targets: Buffer, signers: readonly MakerKey[] = this.keys.snapshot): Buffer {
    const version = ++this.versions.snapshot;
    const edition = { version, expires: this.#end('snapshot') };
    const metadata = makeSnapshot(edition, { version: this.versions.targets, bytes: targets });
    const bytes = writeMetadata(signMetadata(metadata, signers.map(signerOf)));
    this.files.set(`metadata/${version}.snapshot.json`, bytes);
    return bytes;
  }

  publishTimestamp(snapshot: Buffer, signers: readonly MakerKey[] = this.keys.timestamp): Buffer {
    const version = ++this.versions.timestamp;
    const edition = { version, expires: this.#end('timestamp') };
    const metadata = makeTimestamp(edition, { version: this.versions.snapshot, bytes: snapshot });
    const bytes = writeMetadata(signMetadata(metadata, signers.map(signerOf)));
    this.files.set('metadata/timestamp.json', bytes);
    return bytes;
  }

  /** Changes a served document as a thief without keys can: its JSON, under the old signatures. */
  bend(path: string, change: (json: { signed: Record<string, never>; signatures: unknown[] }) => void): void {
    const json = JSON.parse(Buffer.from(this.files.get(path) ?? '').toString());
    change(json);
    this.files.set(path, Buffer.from(JSON.stringify(json)));
  }

  /** A copy of what is served now, to be served again later. */
  keep(): Map<string, Uint8Array> {
    return new Map(this.files);
  }

  serve(files: ReadonlyMap<string, Uint8Array>): void {
    this.files.clear();
    for (const [path, bytes] of files) this.files.set(path, bytes);
  }
}

export type Answer = (request: IncomingMessage, response: ServerResponse, path: string) => boolean;

/** An HTTP server on the loopback for a repository. `answer` may take a request over by returning true. */
export async function serve(
  repository: TufRepository,
  answer: Answer = () => false,
): Promise<{ readonly get: HttpGet; readonly url: string; stop(): Promise<void> }> {
  const server = createServer((request, response) => {
    const path = decodeURIComponent((request.url ?? '').slice(1));
    repository.requests.push(path);
    if (answer(request, response, path)) return;
    const bytes = repository.files.get(path);
    if (bytes === undefined) response.writeHead(404).end();
    else response.writeHead(200, { 'content-length': bytes.length }).end(bytes);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  return { get: httpGetFrom(url), url, stop: () => stop(server) };
}

function stop(server: Server): Promise<void> {
  server.closeAllConnections();
  return new Promise((resolve) => server.close(() => resolve()));
}
