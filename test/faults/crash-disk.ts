import { mkdirSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { Disk, DiskFile } from '../../host/disk.ts';
import { HostError } from '../../host/errors.ts';

/**
 * A disk in memory that knows what a crash would leave of it. Of every file it keeps the content as written
 * and as last synced, of every directory the names as they are and as last synced.
 */

const ROOT = 0;

interface FileNode {
  readonly live: Uint8Array;
  readonly durable: Uint8Array;
}

interface DirectoryNode {
  readonly live: ReadonlyMap<string, number>;
  readonly durable: ReadonlyMap<string, number>;
}

type Node = FileNode | DirectoryNode;

/** What survives: everything written (SIGKILL), only what was synced, or any mixture (a number seeds it). */
export type Crash = 'killed' | 'power cut' | number;

/** A call that changes the disk, about to happen. */
export interface Call {
  readonly name: string;
  readonly path: string;
  /** The disk before it, and for a write with the half of it done. */
  readonly states: readonly CrashState[];
}

/** The disk at one moment. */
export class CrashState {
  readonly #nodes: ReadonlyMap<number, Node>;

  constructor(nodes: ReadonlyMap<number, Node>) {
    this.#nodes = nodes;
  }

  /** The files that are there after the crash, and the empty directories, as paths from the root. */
  after(crash: Crash): { files: Map<string, Uint8Array>; directories: string[] } {
    const random = typeof crash === 'number' ? randomOf(crash) : undefined;
    const files = new Map<string, Uint8Array>();
    const directories: string[] = [];
    const walk = (id: number, path: string) => {
      const node = this.#nodes.get(id);
      if (node === undefined) return;
      if (isDirectory(node)) {
        directories.push(path);
        for (const [name, child] of survivingNames(node, crash, random)) walk(child, join(path, name));
      } else {
        files.set(path, survivingContent(node, crash, random));
      }
    };
    walk(ROOT, '/');
    return { files, directories };
  }

  /** Writes what is left into a real directory. */
  materialise(crash: Crash, target: string): void {
    const { files, directories } = this.after(crash);
    for (const path of directories) mkdirSync(join(target, path), { recursive: true });
    for (const [path, content] of files) writeFileSync(join(target, path), content);
  }

  /** The disk as the machine finds it when it starts again. */
  reboot(crash: Crash): CrashDisk {
    const disk = new CrashDisk();
    if (crash === 'killed') {
      disk.become(this.#nodes);
      return disk;
    }
    const { files, directories } = this.after(crash);
    for (const path of directories) disk.place(path);
    for (const [path, content] of files) disk.place(path, content);
    return disk;
  }
}

export interface CrashDiskOptions {
  /** Called before everything that changes the disk. */
  readonly onCall?: (call: Call) => void;
  /** A broken disk: calls of this name do nothing. */
  readonly ignore?: (name: string, path: string) => boolean;
  /** Bytes that fit on it. */
  readonly capacity?: number;
}

export class CrashDisk implements Disk {
  #nodes = new Map<number, Node>([[ROOT, { live: new Map(), durable: new Map() }]]);
  #nextId = ROOT + 1;
  readonly #options: CrashDiskOptions;

  constructor(options: CrashDiskOptions = {}) {
    this.#options = options;
  }

  get state(): CrashState {
    return new CrashState(new Map(this.#nodes));
  }

  /** Sum of the lengths of all files. */
  get bytes(): number {
    let bytes = 0;
    for (const content of this.state.after('killed').files.values()) bytes += content.length;
    return bytes;
  }

  /** Takes over the content of another, with what is not yet durable of it. */
  become(nodes: ReadonlyMap<number, Node>): void {
    this.#nodes = new Map(nodes);
    this.#nextId = Math.max(...nodes.keys()) + 1;
  }

  /** Puts a directory, or a file with `content`, durably. */
  place(path: string, content?: Uint8Array): void {
    if (path === '/') return;
    const id = this.#nextId++;
    this.#nodes.set(
      id,
      content === undefined ? { live: new Map(), durable: new Map() } : { live: content, durable: content },
    );
    const parent = this.#find(dirname(path)) ?? ROOT;
    this.#setName(parent, basename(path), id);
    this.#syncNames(parent);
  }

  async open(path: string, access: 'read' | 'write'): Promise<DiskFile | undefined> {
    const id = this.#find(path);
    return id === undefined ? undefined : new CrashFile(this, id, path, access === 'write');
  }

  async create(path: string, _mode: number): Promise<DiskFile | undefined> {
    this.#called('create', path);
    if (this.#find(path) !== undefined) return undefined;
    const id = this.#nextId++;
    this.#nodes.set(id, { live: new Uint8Array(0), durable: new Uint8Array(0) });
    this.#setName(this.#parentOf(path), basename(path), id);
    return new CrashFile(this, id, path, true);
  }

  async rename(from: string, to: string): Promise<void> {
    if (!this.#called('rename', to)) return;
    const id = this.#find(from);
    if (id === undefined) throw new HostError('DISK_IO', `cannot rename ${from}: ENOENT`);
    this.#setName(this.#parentOf(to), basename(to), id);
    this.#setName(this.#parentOf(from), basename(from), undefined);
  }

  async unlink(path: string): Promise<boolean> {
    if (this.#find(path) === undefined) return false;
    if (!this.#called('unlink', path)) return true;
    this.#setName(this.#parentOf(path), basename(path), undefined);
    return true;
  }

  async makeDirectory(path: string, _mode: number): Promise<boolean> {
    if (this.#find(path) !== undefined) return false;
    this.#called('mkdir', path);
    const id = this.#nextId++;
    this.#nodes.set(id, { live: new Map(), durable: new Map() });
    this.#setName(this.#parentOf(path), basename(path), id);
    return true;
  }

  async removeDirectory(path: string): Promise<boolean> {
    const id = this.#find(path);
    if (id === undefined || this.#directory(id).live.size > 0) return false;
    this.#called('rmdir', path);
    this.#setName(this.#parentOf(path), basename(path), undefined);
    return true;
  }

  async list(path: string): Promise<string[] | undefined> {
    const id = this.#find(path);
    return id === undefined ? undefined : [...this.#directory(id).live.keys()].sort();
  }

  async stat(path: string): Promise<{ bytes: number; directory: boolean } | undefined> {
    const id = this.#find(path);
    const node = id === undefined ? undefined : this.#nodes.get(id);
    if (node === undefined) return undefined;
    return isDirectory(node) ? { bytes: 0, directory: true } : { bytes: node.live.length, directory: false };
  }

  async freeBytes(_path: string): Promise<number> {
    return (this.#options.capacity ?? 2 ** 40) - this.bytes;
  }

  async syncDirectory(path: string): Promise<void> {
    if (!this.#called('sync directory', path)) return;
    const id = this.#find(path);
    if (id === undefined) throw new HostError('DISK_IO', `cannot sync ${path}: ENOENT`);
    this.#syncNames(id);
  }

  contentOf(id: number): Uint8Array {
    const node = this.#nodes.get(id);
    if (node === undefined || isDirectory(node)) throw new HostError('DISK_IO', 'not a file');
    return node.live;
  }

  change(id: number, path: string, name: 'write' | 'truncate', contents: readonly Uint8Array[]): void {
    const durable = (this.#nodes.get(id) as FileNode).durable;
    const torn = contents.slice(0, -1).map((live) => new Map(this.#nodes).set(id, { live, durable }));
    if (!this.#called(name, path, torn)) return;
    const live = contents.at(-1) ?? new Uint8Array(0);
    const growth = live.length - this.contentOf(id).length;
    if (growth > 0 && this.bytes + growth > (this.#options.capacity ?? Number.POSITIVE_INFINITY)) {
      throw new HostError('DISK_FULL', `cannot ${name} ${path}: ENOSPC`);
    }
    this.#nodes.set(id, { live, durable });
  }

  syncFile(id: number, path: string): void {
    if (!this.#called('sync', path)) return;
    const live = this.contentOf(id);
    this.#nodes.set(id, { live, durable: live });
  }

  /** Tells the listener; false when the call is to be ignored. */
  #called(name: string, path: string, torn: readonly ReadonlyMap<number, Node>[] = []): boolean {
    const states = [this.state, ...torn.map((nodes) => new CrashState(nodes))];
    this.#options.onCall?.({ name, path, states });
    return !this.#options.ignore?.(name, path);
  }

  #directory(id: number): DirectoryNode {
    const node = this.#nodes.get(id);
    if (node === undefined || !isDirectory(node)) throw new HostError('DISK_IO', 'not a directory');
    return node;
  }

  #find(path: string): number | undefined {
    let id: number | undefined = ROOT;
    for (const name of path.split('/').filter(Boolean)) {
      const node: Node | undefined = id === undefined ? undefined : this.#nodes.get(id);
      id = node !== undefined && isDirectory(node) ? node.live.get(name) : undefined;
    }
    return id;
  }

  #parentOf(path: string): number {
    const id = this.#find(dirname(path));
    if (id === undefined) throw new HostError('DISK_IO', `cannot reach ${path}: ENOENT`);
    return id;
  }

  #setName(directory: number, name: string, id: number | undefined): void {
    const { live, durable } = this.#directory(directory);
    const names = new Map(live);
    if (id === undefined) names.delete(name);
    else names.set(name, id);
    this.#nodes.set(directory, { live: names, durable });
  }

  #syncNames(directory: number): void {
    const { live } = this.#directory(directory);
    this.#nodes.set(directory, { live, durable: live });
  }
}

class CrashFile implements DiskFile {
  readonly #disk: CrashDisk;
  readonly #id: number;
  readonly #path: string;
  readonly #writable: boolean;

  constructor(disk: CrashDisk, id: number, path: string, writable: boolean) {
    this.#disk = disk;
    this.#id = id;
    this.#path = path;
    this.#writable = writable;
  }

  async write(bytes: Uint8Array, position: number): Promise<void> {
    if (!this.#writable) throw new HostError('DISK_IO', 'opened for reading');
    const old = this.#disk.contentOf(this.#id);
    const contents = [bytes.length >>> 1, bytes.length].map((length) => {
      const content = new Uint8Array(Math.max(old.length, position + length));
      content.set(old);
      content.set(bytes.subarray(0, length), position);
      return content;
    });
    this.#disk.change(this.#id, this.#path, 'write', contents);
  }

  async read(length: number, position: number): Promise<Uint8Array> {
    return this.#disk.contentOf(this.#id).slice(position, position + length);
  }

  async truncate(length: number): Promise<void> {
    this.#disk.change(this.#id, this.#path, 'truncate', [this.#disk.contentOf(this.#id).slice(0, length)]);
  }

  async size(): Promise<number> {
    return this.#disk.contentOf(this.#id).length;
  }

  async sync(): Promise<void> {
    this.#disk.syncFile(this.#id, this.#path);
  }

  async close(): Promise<void> {
    await Promise.resolve();
  }
}

function isDirectory(node: Node): node is DirectoryNode {
  return node.live instanceof Map;
}

function survivingNames(
  { live, durable }: DirectoryNode,
  crash: Crash,
  random: (() => number) | undefined,
): ReadonlyMap<string, number> {
  if (random === undefined) return crash === 'killed' ? live : durable;
  const names = new Map<string, number>();
  for (const name of new Set([...durable.keys(), ...live.keys()])) {
    const id = (random() < 0.5 ? durable : live).get(name);
    if (id !== undefined) names.set(name, id);
  }
  return names;
}

/** Unsynced content may have reached the disk in part, with zeros where the rest should be. */
function survivingContent(
  { live, durable }: FileNode,
  crash: Crash,
  random: (() => number) | undefined,
): Uint8Array {
  if (random === undefined) return crash === 'killed' ? live : durable;
  if (live === durable || random() < 0.3) return durable;
  if (live.length < durable.length) return random() < 0.5 ? live : durable;
  const reached = durable.length + Math.floor(random() * (live.length - durable.length + 1));
  const length = random() < 0.5 ? reached : live.length;
  const content = new Uint8Array(length);
  content.set(live.subarray(0, reached));
  return content;
}

/** mulberry32. */
export function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}
