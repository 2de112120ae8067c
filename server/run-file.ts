import { join } from 'node:path';
import { utf8 } from '../crypto/bytes.ts';
import { TEMPORARY_SUFFIX, writeFileAtomic } from '../host/atomic-file.ts';
import type { Disk } from '../host/disk.ts';
import { HostError } from '../host/errors.ts';
import type { Log } from './log.ts';

/** `run/server.json`, which tells other processes of a server that runs. The server does without it on a disk that takes no more. */
export class RunFile {
  readonly #disk: Disk;
  readonly #directory: string;
  readonly #log: Log;

  /** @param directory the server's. */
  constructor(disk: Disk, directory: string, log: Log) {
    this.#disk = disk;
    this.#directory = join(directory, 'run');
    this.#log = log;
  }

  get #path(): string {
    return join(this.#directory, 'server.json');
  }

  async write(server: object): Promise<void> {
    await this.#spare('run/server.json cannot be written: the server runs without it', async () => {
      // One of an earlier run would name a process and a port that are not ours.
      await this.#disk.unlink(this.#path);
      await this.#disk.makeDirectory(this.#directory, 0o700);
      const bytes = utf8(`${JSON.stringify(server)}\n`);
      try {
        await writeFileAtomic(this.#disk, this.#path, bytes, 0o600);
      } catch (error) {
        await this.#disk.unlink(this.#path + TEMPORARY_SUFFIX);
        throw error;
      }
    });
  }

  async remove(): Promise<void> {
    await this.#spare('run/server.json cannot be removed', () => this.#disk.unlink(this.#path));
  }

  async #spare(message: string, work: () => Promise<unknown>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (!(error instanceof HostError)) throw error;
      this.#log.warn({ code: error.code, reason: error.message }, message);
    }
  }
}
