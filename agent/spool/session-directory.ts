import { join } from 'node:path';
import { concat } from '../../crypto/bytes.ts';
import { writeFileAtomic } from '../../host/atomic-file.ts';
import type { Disk, DiskFile } from '../../host/disk.ts';
import { HostError } from '../../host/errors.ts';
import { encodePreface, PREFACE_LENGTH, recordsFileName, type SpoolPrimitives } from './records-file.ts';
import type { SegmentFile, SpooledSegment } from './spooled-segment.ts';
import type { StoredSession } from './stored-segment.ts';
import { encodeTombstone, TOMBSTONE_LENGTH } from './tombstone.ts';

export const SESSION_FILE = 'session';
export const TOMBSTONES_FILE = 'dropped';

export function sessionDirectoryName({ number, id }: Pick<StoredSession, 'number' | 'id'>): string {
  return `${String(number).padStart(12, '0')}-${id}`;
}

/** The directory of one session: every call that changes it, in the order of docs/design/spool.md. */
export class SessionDirectory {
  readonly session: StoredSession;
  readonly #disk: Disk;
  readonly #primitives: SpoolPrimitives;
  readonly #root: string;
  readonly #path: string;
  #exists: boolean;
  #suspect = false;
  #tombstoneBytes: number;
  #tombstonesNamed: boolean;

  /** `found`: the directory is on the disk, with so many bytes of tombstones. */
  constructor(
    disk: Disk,
    primitives: SpoolPrimitives,
    root: string,
    session: StoredSession,
    found?: { readonly tombstoneBytes: number },
  ) {
    this.#disk = disk;
    this.#primitives = primitives;
    this.#root = root;
    this.#path = join(root, sessionDirectoryName(session));
    this.session = session;
    this.#exists = found !== undefined;
    this.#tombstoneBytes = found?.tombstoneBytes ?? 0;
    this.#tombstonesNamed = this.#tombstoneBytes > 0;
  }

  get exists(): boolean {
    return this.#exists;
  }

  get hasTombstones(): boolean {
    return this.#tombstonesNamed || this.#tombstoneBytes > 0;
  }

  /** Bytes in files that belong to no single segment. */
  get diskBytes(): number {
    return (this.#exists ? this.session.header.length : 0) + this.#tombstoneBytes;
  }

  /** Bytes that the first file in it brings along. */
  get pendingBytes(): number {
    return this.#exists ? 0 : this.session.header.length;
  }

  /** Writes what is unwritten of the segment; with `sync` makes all that is in its file durable. */
  async write(segment: SpooledSegment, sync: boolean): Promise<void> {
    await this.#prepare();
    if (segment.unwritten === undefined && !(sync && segment.isUnsynced)) return;
    const file = this.#fileOf(segment);
    const until = segment.index.count;
    const frames = segment.index.frames(file.written, until);
    const preface = file.written === file.first ? this.#preface(segment, file.first) : undefined;
    const at = PREFACE_LENGTH + segment.index.offset(file.written) - segment.index.offset(file.first);
    try {
      await this.#inFile(file, async (handle) => {
        await writeFrames(handle, file, preface, frames, at);
        if (sync) await handle.sync();
      });
      if (sync && !file.named) await this.#disk.syncDirectory(this.#path);
    } catch (error) {
      file.written = file.synced;
      this.#suspect = true;
      throw error;
    }
    file.written = until;
    if (sync) {
      file.synced = until;
      file.named = true;
    }
    await this.#unlinkObsolete(segment);
  }

  /** Gives back the room that a dropped segment takes up; its file's preface stays as a trace. */
  async truncate(segment: SpooledSegment): Promise<void> {
    await this.#unlinkObsolete(segment);
    const { file } = segment;
    if (file === undefined || file.bytes <= PREFACE_LENGTH) return;
    const handle = await this.#disk.open(file.path, 'write');
    if (handle !== undefined) {
      try {
        await handle.truncate(PREFACE_LENGTH);
      } finally {
        await handle.close();
      }
    }
    file.bytes = PREFACE_LENGTH;
  }

  /** Writes the tombstones of dropped segments, durably; then unlinks their files. */
  async writeTombstones(dropped: readonly SpooledSegment[]): Promise<void> {
    await this.#prepare();
    const tombstones = dropped.flatMap(({ tombstone }) => tombstone ?? []);
    const bytes = concat(...tombstones.map((tombstone) => encodeTombstone(tombstone, this.#primitives)));
    const path = join(this.#path, TOMBSTONES_FILE);
    const handle = await this.#openOrCreate(path);
    try {
      await handle.write(bytes, this.#tombstoneBytes);
      await handle.sync();
    } finally {
      await handle.close();
    }
    if (!this.#tombstonesNamed) await this.#disk.syncDirectory(this.#path);
    this.#tombstonesNamed = true;
    this.#tombstoneBytes += bytes.length;
    for (const segment of dropped) {
      segment.buried = true;
      await this.unlinkFiles(segment);
    }
  }

  /** Bytes that burying so many segments adds. */
  tombstoneBytes(count: number): number {
    return this.pendingBytes + count * TOMBSTONE_LENGTH;
  }

  async unlinkFiles(segment: SpooledSegment): Promise<void> {
    await this.#unlinkObsolete(segment);
    if (segment.file === undefined) return;
    await this.#disk.unlink(segment.file.path);
    segment.file = undefined;
  }

  async unlinkTombstones(): Promise<void> {
    await this.#disk.unlink(join(this.#path, TOMBSTONES_FILE));
    this.#tombstoneBytes = 0;
    this.#tombstonesNamed = false;
  }

  /** Removes the directory, unless a file is left in it that could not be read at the start. */
  async remove(): Promise<void> {
    await this.unlinkTombstones();
    const left = await this.#disk.list(this.#path);
    if (left?.every((name) => name === SESSION_FILE)) {
      await this.#disk.unlink(join(this.#path, SESSION_FILE));
      await this.#disk.removeDirectory(this.#path);
    }
    this.#exists = false;
  }

  async #prepare(): Promise<void> {
    if (this.#exists && !this.#suspect) return;
    await this.#disk.makeDirectory(this.#path, 0o700);
    await writeFileAtomic(this.#disk, join(this.#path, SESSION_FILE), this.session.header, 0o600);
    await this.#disk.syncDirectory(this.#root);
    this.#exists = true;
    this.#suspect = false;
  }

  /** The file to append to; a new one when acknowledged records are missing between its end and what is held. */
  #fileOf(segment: SpooledSegment): SegmentFile {
    const { file, first, index, sequence } = segment;
    if (file !== undefined && first <= file.written) return file;
    if (file !== undefined) segment.obsolete.push(file);
    const path = join(this.#path, recordsFileName(sequence, index.offset(first)));
    segment.file = { path, first, written: first, synced: first, named: false, bytes: 0 };
    return segment.file;
  }

  #preface(segment: SpooledSegment, first: number): Uint8Array {
    return encodePreface({ header: segment.header, start: segment.position(first) }, this.#primitives);
  }

  async #inFile(file: SegmentFile, use: (handle: DiskFile) => Promise<void>): Promise<void> {
    const handle = await this.#openOrCreate(file.path);
    try {
      await use(handle);
    } finally {
      await handle.close();
    }
  }

  async #openOrCreate(path: string): Promise<DiskFile> {
    const handle = (await this.#disk.open(path, 'write')) ?? (await this.#disk.create(path, 0o600));
    if (handle === undefined) throw new HostError('DISK_IO', `cannot open ${path}`);
    return handle;
  }

  async #unlinkObsolete(segment: SpooledSegment): Promise<void> {
    for (const file of [...segment.obsolete]) {
      await this.#disk.unlink(file.path);
      segment.obsolete = segment.obsolete.filter((other) => other !== file);
    }
  }
}

async function writeFrames(
  handle: DiskFile,
  file: SegmentFile,
  preface: Uint8Array | undefined,
  frames: readonly Uint8Array[],
  at: number,
): Promise<void> {
  let position = at;
  if (preface !== undefined) {
    file.bytes = Math.max(file.bytes, preface.length);
    await handle.write(preface, 0);
  }
  for (const frame of frames) {
    file.bytes = Math.max(file.bytes, position + frame.length);
    await handle.write(frame, position);
    position += frame.length;
  }
}
