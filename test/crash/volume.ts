import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { until } from '../e2e/until.ts';

/**
 * ext4 in files, each mounted by way of a loop device. A copy of such a file holds what had reached the disk: mounting it
 * is what starting the machine is after its power was cut. The file system is set to keep as little as it may: it does
 * not write by itself what nobody synced, and a rename does not bring the file's content to the disk.
 */
const MOUNT_OPTIONS = 'loop,noatime,noauto_da_alloc,commit=300';

export class Volumes {
  readonly directory = mkdtempSync(join(tmpdir(), 'oriel-volumes-'));
  readonly #mounted = new Set<string>();
  #made = 0;

  /** A new file system. @param bytes its size; what is empty takes no room. */
  make(bytes: number): Volume {
    const volume = this.#name();
    writeFileSync(volume.image, '');
    truncateSync(volume.image, bytes);
    execFileSync('mkfs.ext4', ['-q', '-F', '-m', '0', volume.image], { stdio: 'pipe' });
    return volume;
  }

  /** What would be there after a power cut now. */
  cut(volume: Volume): Volume {
    const copy = this.#name();
    execFileSync('cp', ['--sparse=always', volume.image, copy.image]);
    return copy;
  }

  /** @throws when this machine lets nobody mount: these tests need root and loop devices. */
  mount(volume: Volume): void {
    mkdirSync(volume.path);
    const { status, stderr } = spawnSync('mount', ['-o', MOUNT_OPTIONS, volume.image, volume.path], {
      encoding: 'utf8',
    });
    if (status !== 0) throw new Error(`needs root and loop devices, to mount ext4 from a file: ${stderr}`);
    this.#mounted.add(volume.path);
  }

  /** Once whatever was started from there is gone. */
  async unmount(volume: Volume): Promise<void> {
    await until(`${volume.path} is in use no more`, () => spawnSync('umount', [volume.path]).status === 0);
    this.#mounted.delete(volume.path);
  }

  /** Unmounts it and removes it. */
  async discard(volume: Volume): Promise<void> {
    if (this.#mounted.has(volume.path)) await this.unmount(volume);
    rmSync(volume.image);
    rmSync(volume.path, { recursive: true, force: true });
  }

  /** Takes all of them away, whatever became of the test. */
  end(): void {
    for (const path of this.#mounted) spawnSync('umount', ['--lazy', path]);
    rmSync(this.directory, { recursive: true });
  }

  #name(): Volume {
    this.#made += 1;
    const path = join(this.directory, String(this.#made));
    return { image: `${path}.ext4`, path };
  }
}

export interface Volume {
  /** The file that holds it. */
  readonly image: string;
  /** Where it is mounted, if it is. */
  readonly path: string;
}
