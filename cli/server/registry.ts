import { systemDisk } from '../../host/disk.ts';
import { loadConfiguration } from '../../server/config.ts';
import type { Patience } from '../../server/registry/database.ts';
import type { Registry } from '../../server/registry/registry.ts';
import { openRegistry } from '../../server/registry/registry-origin.ts';
import type { CameraRecord } from '../../server/registry/registry-tables.ts';
import { CommandError } from '../errors.ts';
import { commandPatience } from './patience.ts';

/**
 * Does something with the registry of a server's directory; a running server notices within a second. While another
 * process holds the registry it says so and waits.
 * @throws ServerError REGISTRY_BUSY after half a minute; as loadConfiguration and Registry.
 */
export async function withRegistry<T>(
  directory: string,
  work: (registry: Registry) => T | Promise<T>,
  patience: Patience = commandPatience(directory),
): Promise<T> {
  await loadConfiguration(systemDisk, directory);
  const registry = await openRegistry(directory, patience);
  try {
    return await work(registry);
  } finally {
    await registry.close();
  }
}

const MIN_PREFIX = 4;

/** The camera that somebody means: by id, the beginning of it, or name. @throws CommandError CAMERA_AMBIGUOUS. */
export function cameraMeant(cameras: readonly CameraRecord[], text: string): CameraRecord {
  const fits = cameras.filter(
    ({ id, name }) =>
      id === text || (name !== '' && name === text) || (text.length >= MIN_PREFIX && id.startsWith(text)),
  );
  const [camera, ...others] = fits;
  if (camera !== undefined && others.length === 0) return camera;
  const many = fits.length > 1 ? `${fits.length} cameras are` : 'no camera is';
  throw new CommandError(
    'CAMERA_AMBIGUOUS',
    `${many} called ${JSON.stringify(text.slice(0, 100))}: oriel server cameras lists their ids`,
  );
}
