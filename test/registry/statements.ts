import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const ROOM = fileURLToPath(new URL('../../server/registry/', import.meta.url));

/** Text of every statement in the registry's files, but for those of the SQLite driver; `${…}` stands as it is. */
export function statementsOf(): string[] {
  return readdirSync(ROOM)
    .filter((name) => !name.startsWith('sqlite'))
    .flatMap((name) => {
      const source = readFileSync(`${ROOM}${name}`, 'utf8');
      return [...source.matchAll(/(['`"])((?:SELECT|INSERT|UPDATE|DELETE)\b(?:(?!\1)[\s\S])*)\1/g)];
    })
    .map(([, , sql = '']) => sql.replaceAll(/\s+/g, ' '));
}
