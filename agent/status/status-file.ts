import { rmSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import type { CameraDirectory } from '../state/camera-directory.ts';
import { CameraError } from '../state/errors.ts';
import { isOwn, makeElsewhere } from '../state/run-elsewhere.ts';
import { type AgentStatus, writeStatus } from './status.ts';

/** What the file says is never older, ms: readers take an agent for silent after fifteen seconds. */
const HEARTBEAT_MS = 5_000;

interface StatusAge {
  /** Whether what the camera does is another than the file says. */
  readonly isNews: boolean;
  /** Whether somebody has read the file since it was written. */
  readonly wasRead: boolean;
  /** Since it was written, ms. */
  readonly sinceMs: number;
}

/** Whether the status is made and written anew; asked once a second. Pure. */
export function statusIsDue({ isNews, wasRead, sinceMs }: StatusAge): boolean {
  return isNews || wasRead || sinceMs >= HEARTBEAT_MS;
}

/** The agent's status: in its run directory, and elsewhere for as long as that lies on a card that has become read-only. */
export class StatusFile {
  readonly #path: string;
  readonly #elsewhere: string;
  /** Where it was written last. */
  #written: string;
  /** Also one of an agent before. */
  #liesElsewhere = true;

  /** @param directory with its run directory decided. */
  constructor(directory: CameraDirectory) {
    this.#path = directory.status;
    this.#elsewhere = directory.statusElsewhere;
    this.#written = this.#path;
  }

  /** Whether somebody has read it since it was written, by its time of access: where none is kept (noatime) nobody ever has. */
  get wasRead(): boolean {
    const stat = statSync(this.#written, { throwIfNoEntry: false });
    return stat !== undefined && stat.atimeMs > stat.mtimeMs;
  }

  write(status: AgentStatus): void {
    const failed = writeStatus(this.#path, status);
    this.#written = failed === 'EROFS' ? this.#elsewhere : this.#path;
    if (this.#path === this.#elsewhere) return;
    if (failed === 'EROFS') this.#writeElsewhere(status);
    else if (failed === undefined && this.#liesElsewhere) this.#removeElsewhere();
  }

  #writeElsewhere(status: AgentStatus): void {
    this.#liesElsewhere = true;
    try {
      makeElsewhere(dirname(this.#elsewhere));
      writeStatus(this.#elsewhere, status);
    } catch (error) {
      // Somebody else's directory is in the way: as on a disk that fails, the old status stays.
      if (!(error instanceof CameraError)) throw error;
    }
  }

  #removeElsewhere(): void {
    if (isOwn(dirname(this.#elsewhere))) rmSync(this.#elsewhere, { force: true });
    this.#liesElsewhere = false;
  }
}
