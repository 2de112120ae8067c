import { systemDisk } from '../../host/disk.ts';
import { loadConfiguration } from '../../server/config.ts';
import type { Patience } from '../../server/registry/database.ts';
import { commandPatience } from '../../server/registry/patience.ts';
import type { Registry } from '../../server/registry/registry.ts';
import { openRegistry } from '../../server/registry/registry-origin.ts';

/**
 * Does something with the registry of a server's directory; a running server notices within a second. While another
 * process holds the registry it says so and waits.
 * @throws ServerError REGISTRY_BUSY after half a minute; as loadConfiguration and Registry.
 */
export async function withRegistry<T>(
  directory: string,
  work: (registry: Registry) => T | Promise<T>,
  patience: Patience = commandPatience(directory, console.error),
): Promise<T> {
  await loadConfiguration(systemDisk, directory);
  const registry = await openRegistry(directory, patience);
  try {
    return await work(registry);
  } finally {
    await registry.close();
  }
}
