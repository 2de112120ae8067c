import type { Patience } from './database.ts';
import { registryHolder } from './registry-holder.ts';

/** How long a command waits for another process that writes the registry, ms. */
export const COMMAND_WAIT_MS = 30_000;

/** A command's patience with another process that holds a directory's registry: it says that it waits, and for whom. */
export function commandPatience(
  directory: string,
  say: (line: string) => void,
  waitMs = COMMAND_WAIT_MS,
): Patience {
  const seconds = waitMs / 1000;
  let said = false;
  return {
    waitMs,
    waiting() {
      if (!said) say(`waiting up to ${seconds} s for ${holder(directory)}, which holds the registry`);
      said = true;
    },
    gaveUp: () =>
      `${holder(directory)} has held ${directory}/registry.db for ${seconds} s, and nothing was written: let it end, then do this again`,
  };
}

function holder(directory: string): string {
  const found = registryHolder(directory);
  return found === undefined ? 'another process' : `process ${found.pid} (${found.name})`;
}
