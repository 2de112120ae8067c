import { canonicalOrigin } from '../../crypto/origin.ts';
import { CommandError } from '../errors.ts';

/** The server that a person gives, in its one spelling. @throws CommandError USAGE. */
export function givenOrigin(text: string): string {
  try {
    return canonicalOrigin(text);
  } catch (cause) {
    throw new CommandError('USAGE', `--server takes https://HOST[:PORT]: ${(cause as Error).message}`, cause);
  }
}
