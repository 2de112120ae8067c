import { createHash } from 'node:crypto';
import { realpathSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { utf8 } from '../../crypto/bytes.ts';
import { lesserOwner, type Owner } from '../../host/as-owner.ts';
import { writeFileAtomic } from '../../host/atomic-file.ts';
import { systemDisk } from '../../host/disk.ts';
import { readRegularFile } from '../../host/regular-file.ts';
import { parseSource } from '../capture/source.ts';
import type { CameraDirectory } from '../state/camera-directory.ts';
import { loadDeviceKey } from '../state/device-key.ts';
import { CameraError } from '../state/errors.ts';
import { type Destinations, readDestinations, writeDestinations } from './destinations.ts';

const MAX_FILE_BYTES = 4096;

/**
 * What root keeps of a camera whose directory is another user's, so that nothing which that user writes there changes
 * what the packet filter lets through (decision 0024).
 */
export class DestinationsFile {
  readonly path: string;
  readonly #state: string;
  readonly #camera: string;

  /**
   * @param state root's directory; it may be absent.
   * @param camera the camera's directory, by whatever name: root's unit and a person may use two that lead to it.
   */
  constructor(state: string, camera: string) {
    this.#state = state;
    this.#camera = camera;
    this.path = join(state, `${createHash('sha256').update(realPath(camera)).digest('hex')}.json`);
  }

  /** @returns null when the camera may reach nobody, undefined when nothing is kept. @throws CameraError CONFIG_MALFORMED; HostError. */
  read(): Destinations | null | undefined {
    const bytes = readRegularFile(this.path, { maxBytes: MAX_FILE_BYTES, owner: process.geteuid?.() ?? 0 });
    if (bytes === undefined) return undefined;
    try {
      return readDestinations(bytes.toString('utf8'));
    } catch (cause) {
      const way = `have it made anew from the camera’s own configuration: oriel camera firewall ${this.#camera} … --adopt`;
      throw new CameraError('CONFIG_MALFORMED', `${this.path}: ${(cause as Error).message}; ${way}`, cause);
    }
  }

  /** Then nothing is kept. @throws HostError. */
  async remove(): Promise<void> {
    await systemDisk.unlink(this.path);
    await systemDisk.syncDirectory(this.#state);
  }

  /** Durably. @throws HostError. */
  async write(destinations: Destinations | null): Promise<void> {
    await systemDisk.makeDirectory(this.#state, 0o700);
    await writeFileAtomic(systemDisk, this.path, utf8(writeDestinations(destinations)), 0o600);
  }
}

/** With no symbolic link in it; what is yet to be made will be none. */
function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch (error) {
    if ((error as { code?: unknown }).code !== 'ENOENT') throw error;
    const whole = resolve(path);
    return join(realPath(dirname(whole)), basename(whole));
  }
}

/** Keeps the destinations of a camera that root has just set up, given another source, or reset, if it is another user's. */
export async function keepDestinations(
  state: string,
  camera: string,
  change: (kept: Destinations | null | undefined) => Destinations | null | undefined,
): Promise<void> {
  if (lesserOwner(camera) === undefined) return;
  const file = new DestinationsFile(state, camera);
  const changed = change(file.read());
  if (changed !== undefined) await file.write(changed);
}

/**
 * Makes a camera with nothing in its directory adopted meanwhile: where root keeps nothing of it yet, it reaches nobody
 * until keepDestinations. When it cannot be made, nothing is kept, as before.
 */
export async function withNothingAdopted<T>(
  state: string,
  camera: string,
  make: () => Promise<T>,
): Promise<T> {
  const file = new DestinationsFile(state, camera);
  if (lesserOwner(camera) === undefined || file.read() !== undefined) return make();
  await file.write(null);
  try {
    return await make();
  } catch (error) {
    await file.remove();
    throw error;
  }
}

/**
 * The destinations by the camera's own configuration, as the server of the set-up gives them.
 * @param owner who has to own the files, if that is not the reader.
 * @throws CameraError; CaptureError SOURCE_*.
 */
export async function configuredDestinations(
  directory: CameraDirectory,
  owner: Owner | undefined,
): Promise<Destinations> {
  const config = directory.readConfig(owner?.uid);
  const { camera } = await loadDeviceKey(directory, owner?.uid);
  return {
    camera,
    owner: config.owner,
    origin: config.server.origin,
    source: parseSource(config.source, config.lan).dials,
    pins: null,
  };
}
