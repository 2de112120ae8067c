import { Joiner } from './joiner.ts';

/**
 * Checks that a segment's media can be made a file of its own: its init segment and every fragment (moof and mdat) read,
 * within the limits, and their times fit. What passes, `Joiner` carries over.
 * @param decodeTimeUs of the first sample, which comes to stand at 0, microseconds.
 * @throws MediaError.
 */
export function checkPlayable(
  init: Uint8Array,
  fragments: readonly Uint8Array[],
  decodeTimeUs: number,
): void {
  new Joiner(init).check(fragments, -decodeTimeUs);
}
