import { statSync } from 'node:fs';
import { MAX_VIEWING_KEY_BYTES, parseViewingKey, type ViewingKey } from '../crypto/viewing-key.ts';
import { readTextFile } from '../host/files.ts';
import { OwnerError } from './errors.ts';
import type { Output } from './output.ts';

/** Warns when others can read it. @throws FileError FILE_UNREADABLE; OwnerError KEY_MALFORMED. */
export function readViewingKey(path: string, { warn }: Pick<Output, 'warn'>): ViewingKey {
  const text = readTextFile(path, MAX_VIEWING_KEY_BYTES);
  let key: ViewingKey;
  try {
    key = parseViewingKey(text);
  } catch (cause) {
    throw new OwnerError(
      'KEY_MALFORMED',
      `${path} is not as it has to be: ${(cause as Error).message}`,
      cause,
    );
  }
  if ((statSync(path).mode & 0o077) !== 0) {
    warn(`oriel: warning: ${path} can be read by others; mend it with: chmod 600 ${path}`);
  }
  return key;
}
