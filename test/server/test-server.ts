import { once } from 'node:events';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ConnectionOptions } from 'node:tls';
import { pem } from '../../crypto/certificate-node.ts';
import type { Clock } from '../../host/clock.ts';
import { type Disk, systemDisk } from '../../host/disk.ts';
import type { ConnectionStats } from '../../server/http/connections.ts';
import type { Log } from '../../server/log.ts';
import { readAuthority } from '../../server/pki/authority-files.ts';
import { initServer } from '../../server/pki/identity.ts';
import type { Registry } from '../../server/registry/registry.ts';
import { startServer } from '../../server/server.ts';
import type { LimitOptions, ServerLimits, ServerParts } from '../../server/server-options.ts';
import { FootageDirectory } from '../../server/storage/footage-directory.ts';
import { UPLOAD_OFFSET } from '../../wire/upload.ts';
import { type CameraDouble, makeCamera } from './camera-double.ts';
import { memoryRegistry } from './memory-registry.ts';

const now = new Date();
/** Of the program under test. */
export const releaseTimeMs = now.getTime() - 86_400_000;

/** What `oriel server init` makes, once: each server below has a copy. */
const template = join(mkdtempSync(join(tmpdir(), 'oriel-house-')), 'server');
await initServer(systemDisk, template, { hosts: ['localhost', '127.0.0.1'], port: 0, now });
export const serverAuthority = await readAuthority(systemDisk, template, 'server-ca');
export const cameraAuthority = await readAuthority(systemDisk, template, 'camera-ca');
afterAll(() => rmSync(join(template, '..'), { recursive: true, force: true }));

/** A real gate over real TLS on loopback, with its footage directory. */
export interface TestServer {
  readonly port: number;
  readonly footage: string;
  /** What it logged: message and fields. */
  readonly logged: { message: string; fields: Record<string, unknown> }[];
  /** The sealed snapshots that came, in their order. */
  readonly snapshots: { camera: string; snapshot: Uint8Array }[];
  connectionStats(): ConnectionStats;
  /** Stops it as SIGTERM does. The footage stays. */
  stop(): Promise<void>;
  /** Begins anew over the same footage, with nothing in memory. */
  restart(): Promise<TestServer>;
}

const opened: { stop(): Promise<void>; directory: string }[] = [];

export interface TestServerOptions {
  readonly disk?: Disk;
  /** The footage directory on that disk; otherwise a fresh one in a temporary directory. */
  readonly footage?: string;
  readonly limits?: LimitOptions['upload'];
  readonly tlsServer?: LimitOptions['tls'];
  readonly enrolment?: LimitOptions['enrolment'];
  readonly clock?: Clock;
  readonly registry?: Registry;
  readonly rates?: LimitOptions['rates'];
  /** Directory of the update repository. */
  readonly updates?: string;
  readonly quota?: LimitOptions['footage'];
  readonly control?: { readonly quota?: ServerLimits['control']; readonly limits?: ServerLimits['broker'] };
  /** What stands in for a check, so that a test shows what happens without it. */
  readonly broken?: Partial<Omit<ServerParts, 'registry' | 'footage'>>;
}

/** The registry of every house that brings none; `newCamera` enrols there. */
export const registry = memoryRegistry();

export async function openTestServer(options: TestServerOptions = {}, kept?: string): Promise<TestServer> {
  const directory = kept ?? mkdtempSync(join(tmpdir(), 'oriel-house-'));
  if (kept === undefined) cpSync(template, directory, { recursive: true });
  const footage = options.footage ?? join(directory, 'footage');
  const logged: TestServer['logged'] = [];
  const record = (fields: object, message: string) => logged.push({ fields: { ...fields }, message });
  const log: Log = { debug: () => undefined, info: record, warn: record, error: record };
  const snapshots: TestServer['snapshots'] = [];
  const { limits: upload, tlsServer: tls, enrolment, rates, quota, control } = options;
  const running = await startServer({
    directory,
    port: 0,
    address: '127.0.0.1',
    releaseTimeMs,
    clock: options.clock,
    updates: options.updates,
    disk: systemDisk,
    log,
    limits: {
      upload,
      tls,
      enrolment,
      rates,
      footage: quota,
      control: control?.quota,
      broker: control?.limits,
    },
    parts: {
      registry: options.registry ?? registry,
      footage: await FootageDirectory.open(options.disk ?? systemDisk, footage, log),
      snapshots: { keep: async (camera, snapshot) => void snapshots.push({ camera, snapshot }) },
      ...options.broken,
    },
  });
  let stopped: Promise<void> | undefined;
  const stop = () => {
    stopped ??= running.stop();
    return stopped;
  };
  opened.push({ stop, directory });
  return {
    port: running.server.port,
    footage,
    logged,
    snapshots,
    connectionStats: () => running.open() as ConnectionStats,
    stop,
    async restart() {
      await stop();
      return openTestServer(options, directory);
    },
  };
}

/** Stops every house and removes what it kept; for afterEach. */
export async function closeTestServers(): Promise<void> {
  for (const testServer of opened.splice(0).reverse()) {
    await testServer.stop();
    rmSync(testServer.directory, { recursive: true, force: true });
  }
}

let trusted = pem('CERTIFICATE', serverAuthority.certificate);

/** Makes the clients below trust another server's CA, PEM. */
export function trustServer(authority: string): void {
  trusted = authority;
}

/** A camera with a certificate of the right CA, and enrolled. */
export async function newCamera(validity?: { from: Date; days: number }): Promise<CameraDouble> {
  const camera = makeCamera(cameraAuthority, validity);
  await enrol(registry, camera);
  return camera;
}

/** Puts a camera into a registry. */
export async function enrol(into: Registry, { id, signer }: CameraDouble): Promise<void> {
  await into.enrol({ camera: id, point: signer.point, serial: '01', notAfterMs: Date.now() }, Date.now());
}

export function tlsOptions(port: number, camera?: CameraDouble): ConnectionOptions {
  return {
    host: '127.0.0.1',
    port,
    ca: trusted,
    ALPNProtocols: ['http/1.1'],
    ...(camera && {
      cert: camera.certificate,
      key: camera.key.export({ type: 'pkcs8', format: 'pem' }) as string,
    }),
  };
}

/** Resolves when a socket is closed, by whatever end: `once` would throw when it was reset. */
export function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    if (socket.closed) resolve();
    else socket.once('close', () => resolve());
  });
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into whatever came
  readonly json: any;
}

/** One request with a whole body, on a connection of its own. */
export async function ask(
  port: number,
  camera: CameraDouble | undefined,
  method: string,
  path: string,
  options: { body?: Uint8Array | string; headers?: Record<string, string>; from?: string } = {},
): Promise<Answer> {
  const call = httpsRequest({
    ...tlsOptions(port, camera),
    ...(options.from && { localAddress: options.from }),
    agent: false,
    method,
    path,
    headers: options.headers ?? {},
  });
  call.end(options.body);
  const [response] = (await once(call, 'response')) as [IncomingMessage];
  const text = await textOf(response);
  const { headers, statusCode: status = 0 } = response;
  return { status, headers, text, json: text.startsWith('{') ? JSON.parse(text) : undefined };
}

async function textOf(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}

/** A segment's upload whose body is still being written while the answer comes. */
export interface OpenUpload {
  write(bytes: Uint8Array): void;
  end(): void;
  /** Breaks the connection off. */
  abort(): void;
  /** Resolves with the first line, of those come and those to come, that fits. */
  line(fits: (line: Record<string, unknown>) => boolean): Promise<Record<string, unknown>>;
  readonly lines: Record<string, unknown>[];
  /** Bytes that the machine has taken from this client. */
  bytesWritten(): number;
  /** Resolves when the answer has ended or broken off; with the status. */
  readonly done: Promise<{ status: number; whole: boolean }>;
}

export function openUpload(port: number, camera: CameraDouble, path: string, offset: number): OpenUpload {
  const lines: Record<string, unknown>[] = [];
  const { promise: done, resolve: finish } = Promise.withResolvers<{ status: number; whole: boolean }>();
  let changed = Promise.withResolvers<void>();
  let over = false;
  const settle = (status: number, whole: boolean) => {
    over = true;
    changed.resolve();
    finish({ status, whole });
  };
  const call = httpsRequest({
    ...tlsOptions(port, camera),
    agent: false,
    method: 'PUT',
    path,
    headers: { [UPLOAD_OFFSET]: String(offset), 'transfer-encoding': 'chunked' },
  });
  call.on('error', () => settle(0, false));
  call.on('response', (response) => {
    let text = '';
    response.on('data', (chunk: Buffer) => {
      text += chunk.toString('utf8');
      const parts = text.split('\n');
      text = response.headers['content-type'] === 'application/json' ? text : (parts.pop() ?? '');
      if (response.headers['content-type'] === 'application/json') return;
      for (const part of parts) lines.push(JSON.parse(part));
      changed.resolve();
      changed = Promise.withResolvers();
    });
    response.on('end', () => {
      if (text !== '') lines.push(JSON.parse(text));
      settle(response.statusCode ?? 0, true);
    });
    response.on('error', () => settle(response.statusCode ?? 0, false));
  });
  call.flushHeaders();
  return {
    write: (bytes) => call.write(bytes),
    end: () => call.end(),
    abort: () => call.destroy(),
    bytesWritten: () => (call.socket?.bytesWritten ?? 0) - (call.socket?.writableLength ?? 0),
    lines,
    done,
    async line(fits) {
      for (;;) {
        const found = lines.find(fits);
        if (found !== undefined) return found;
        if (over) throw new Error(`no such line among ${JSON.stringify(lines)}`);
        await changed.promise;
      }
    },
  };
}

/** Every file below a directory with its bytes. */
export function tree(directory: string): Record<string, string> {
  const files: Record<string, string> = {};
  for (const entry of readdirSync(directory, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    files[path.slice(directory.length)] = entry.isFile() ? readFileSync(path).toString('base64') : '';
  }
  return files;
}
