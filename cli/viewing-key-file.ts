import { statSync } from 'node:fs';
import { MAX_VIEWING_KEY_BYTES, parseViewingKey, type ViewingKey } from '../crypto/viewing-key.ts';
import { CommandError } from './errors.ts';
import { readTextFile } from './files.ts';

/** Warns when others can read it. @throws CommandError FILE_UNREADABLE, KEY_MALFORMED. */
export function readViewingKey(path: string): ViewingKey {
  const text = readTextFile(path, MAX_VIEWING_KEY_BYTES);
  let key: ViewingKey;
  try {
    key = parseViewingKey(text);
  } catch (cause) {
    throw new CommandError(
      'KEY_MALFORMED',
      `${path} is not as it has to be: ${(cause as Error).message}`,
      cause,
    );
  }
  if ((statSync(path).mode & 0o077) !== 0) {
    console.error(`oriel: warning: ${path} can be read by others; mend it with: chmod 600 ${path}`);
  }
  return key;
}
