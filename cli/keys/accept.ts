import { writeViewingKey } from '../../crypto/viewing-key.ts';
import { CommandError } from '../errors.ts';
import { readTextFile, writeTextFile } from '../files.ts';
import { readViewingKey } from '../footage/open-footage.ts';
import { acceptCamera, statementFrom } from './pairing.ts';

export interface AcceptWish {
  readonly statement?: string;
  readonly serverDir?: string;
  readonly camera?: string;
  readonly out?: string;
  readonly audio?: true;
}

const MAX_STATEMENT_FILE_BYTES = 4096;

/** `oriel keys accept`. */
export async function accept(file: string, wish: AcceptWish): Promise<void> {
  if (wish.statement === undefined || wish.out === undefined) {
    throw new CommandError('USAGE', 'give --server-dir DIR, or --statement FILE and --out FILE');
  }
  const statement = statementFrom(readTextFile(wish.statement, MAX_STATEMENT_FILE_BYTES));
  const accepted = await acceptCamera(readViewingKey(file), statement, {
    audio: wish.audio ?? false,
    nowMs: Date.now(),
  });
  // The key first: a counter once signed is never signed again, even if what follows fails.
  writeTextFile(file, writeViewingKey(accepted.key), 0o600);
  writeTextFile(wish.out, accepted.policyFile, 0o600);
  console.log(`accepted camera ${accepted.camera}: policy 1.${accepted.counter} in ${wish.out}`);
}
