import { Registry } from '../../server/registry/registry.ts';
import { MIGRATIONS } from '../../server/registry/registry-tables.ts';
import { SqliteDatabase } from '../../server/registry/sqlite.ts';

/** A registry that is kept nowhere. @param path of a file for one that another process shares. */
export function memoryRegistry(path = ':memory:'): Registry {
  return new Registry(new SqliteDatabase(path, MIGRATIONS));
}
