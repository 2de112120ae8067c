import { dirname, join } from 'node:path';
import { MAX_SNAPSHOT_LENGTH } from '../../crypto/snapshot.ts';
import { readFileBounded, TEMPORARY_SUFFIX, writeFileAtomic } from '../../host/atomic-file.ts';
import type { Disk } from '../../host/disk.ts';
import { HostError } from '../../host/errors.ts';
import {
  parseSegmentFileName,
  parseSessionDirectoryName,
  SESSION_HEADER_FILE,
  segmentFileName,
  sessionDirectoryName,
  snapshotFileName,
} from '../../wire/footage-layout.ts';
import { MAX_SESSION_HEADER_BYTES } from '../../wire/upload.ts';
import type { Log } from '../log.ts';
import type { FootageSize, FootageStore, SegmentFile, SegmentOf, SessionName } from './footage-store.ts';

/**
 * Footage in a directory (docs/reference/protocol.md, "Storage"):
 *
 *     footage/<camera id>/<session number, 12 digits>-<session id, 32 hex digits>/session
 *                                                                                /<sequence, 6 digits>.oriel
 *                                                                                /snapshot-<number, 6 digits>.oriel
 */
export class FootageDirectory implements FootageStore {
  readonly #disk: Disk;
  readonly #root: string;

  constructor(disk: Disk, root: string) {
    this.#disk = disk;
    this.#root = root;
  }

  /** Makes the directory, unless its disk is full: uploads are refused then. @throws HostError. */
  static async open(disk: Disk, root: string, log: Log): Promise<FootageDirectory> {
    try {
      await disk.makeDirectory(root, 0o700);
      await disk.syncDirectory(dirname(root));
    } catch (error) {
      if (!(error instanceof HostError) || error.code !== 'DISK_FULL') throw error;
      log.error({ code: error.code, reason: error.message }, 'no room for footage: uploads are refused');
    }
    return new FootageDirectory(disk, root);
  }

  async sessions(camera: string): Promise<SessionName[]> {
    const names = (await this.#disk.list(join(this.#root, camera))) ?? [];
    return names.flatMap((name) => {
      const session = parseSessionDirectoryName(name);
      return session === undefined ? [] : [{ camera, ...session }];
    });
  }

  readSession(session: SessionName): Promise<Uint8Array | undefined> {
    const path = join(this.#pathOf(session), SESSION_HEADER_FILE);
    return readFileBounded(this.#disk, path, MAX_SESSION_HEADER_BYTES);
  }

  async putSession(session: SessionName, header: Uint8Array): Promise<void> {
    const camera = join(this.#root, session.camera);
    // A server that began without room has no footage directory yet.
    if (await this.#disk.makeDirectory(this.#root, 0o700))
      await this.#disk.syncDirectory(dirname(this.#root));
    await this.#disk.makeDirectory(camera, 0o700);
    await this.#disk.syncDirectory(this.#root);
    await this.#disk.makeDirectory(this.#pathOf(session), 0o700);
    await this.#disk.syncDirectory(camera);
    await writeFileAtomic(this.#disk, join(this.#pathOf(session), SESSION_HEADER_FILE), header, 0o600);
  }

  async syncSession(session: SessionName): Promise<void> {
    for (const path of [this.#pathOf(session), join(this.#root, session.camera), this.#root])
      await this.#disk.syncDirectory(path);
  }

  async segments(session: SessionName): Promise<number[]> {
    const names = (await this.#disk.list(this.#pathOf(session))) ?? [];
    return names.flatMap((name) => parseSegmentFileName(name) ?? []);
  }

  openSegment(name: SegmentOf, access: 'read' | 'write'): Promise<SegmentFile | undefined> {
    return this.#disk.open(this.#segmentPath(name), access);
  }

  createSegment(name: SegmentOf): Promise<SegmentFile | undefined> {
    return this.#disk.create(this.#segmentPath(name), 0o600);
  }

  async removeSegment(name: SegmentOf): Promise<void> {
    await this.#disk.unlink(this.#segmentPath(name));
  }

  syncNames(session: SessionName): Promise<void> {
    return this.#disk.syncDirectory(this.#pathOf(session));
  }

  async readSnapshot(session: SessionName, number: number): Promise<Uint8Array | undefined> {
    const path = join(this.#pathOf(session), snapshotFileName(number));
    if ((await this.#disk.stat(path)) === undefined) return undefined;
    return (await readFileBounded(this.#disk, path, MAX_SNAPSHOT_LENGTH)) ?? new Uint8Array();
  }

  async putSnapshot(session: SessionName, number: number, bytes: Uint8Array): Promise<void> {
    const path = join(this.#pathOf(session), snapshotFileName(number));
    try {
      await writeFileAtomic(this.#disk, path, bytes, 0o600);
    } catch (error) {
      await this.#disk.unlink(path + TEMPORARY_SUFFIX).catch(() => undefined);
      throw error;
    }
  }

  async measure(camera: string): Promise<FootageSize> {
    let bytes = 0;
    let files = 0;
    const sessions = (await this.#disk.list(join(this.#root, camera))) ?? [];
    for (const session of sessions) {
      const path = join(this.#root, camera, session);
      for (const name of (await this.#disk.list(path)) ?? []) {
        const stat = await this.#disk.stat(join(path, name));
        if (stat === undefined) continue;
        bytes += stat.bytes;
        files += 1;
      }
    }
    return { bytes, files, sessions: sessions.length };
  }

  freeBytes(): Promise<number> {
    return this.#disk.freeBytes(this.#root);
  }

  #pathOf(session: SessionName): string {
    return join(this.#root, session.camera, sessionDirectoryName(session));
  }

  #segmentPath({ session, sequence }: SegmentOf): string {
    return join(this.#pathOf(session), segmentFileName(sequence));
  }
}
