import { toHex } from '../crypto/bytes.ts';
import type { ParsedSessionHeader } from '../crypto/header.ts';

type Linked = Pick<ParsedSessionHeader, 'camera' | 'number' | 'previousSession' | 'hash'>;

/**
 * Finds where a camera's line of sessions divides: two sessions of one number, or after the same one. One camera makes no
 * such line, unless its disk lost what it had recorded; two with one key do, as when a card is copied.
 */
export class SessionForks {
  readonly #sessions = new Map<string, string>();

  isFork({ camera, number, previousSession, hash }: Linked): boolean {
    const marks = [`${camera} ${number}`];
    if (previousSession.some((byte) => byte !== 0)) marks.push(`${camera} ${toHex(previousSession)}`);
    const own = toHex(hash);
    const found = marks.some((mark) => (this.#sessions.get(mark) ?? own) !== own);
    for (const mark of marks) this.#sessions.set(mark, own);
    return found;
  }
}
