import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { SHIPPED } from './table.ts';

const ROOT = resolve(import.meta.dirname, '../..');

/** The folders of code that a release is made of, as far as there are any in this tree. */
export const SOURCE_ROOMS: readonly string[] = SHIPPED.filter((name) => existsSync(join(ROOT, name)));
