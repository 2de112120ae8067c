import type { Made } from './corpus.ts';

/** Recordings in every form that people's files have, small, from ffmpeg's own test sources; and what is right for each. */

/** What a recording has to become. */
export interface Right {
  /** When each frame is shown, seconds from the first. */
  readonly times: readonly number[];
  /** End of the last frame. */
  readonly end: number;
  readonly mode: 'copy' | 'encode';
  /** In each film; one film, if not given. */
  readonly sizes: readonly (readonly [width: number, height: number])[];
  /**
   * Flash and beep, which are at one time: how far they may be apart, seconds. How long there is sound, where that is one
   * time. Undefined: no sound is recorded.
   */
  readonly sound?: { readonly apart: number; readonly seconds?: number };
  readonly rotation?: number;
  /** What runs may end with before the last one; with nothing, if not given. */
  readonly causes?: readonly string[];
  /** How many frames may come of it, where that is open: what a GOP hides, what is torn. */
  readonly open?: readonly [least: number, most: number];
  /** It is recorded up to here and refused then, as SOURCE_BROKEN: what is said. */
  readonly broken?: RegExp;
  /** Its last frame may not decode. */
  readonly torn?: true;
  /** How much longer or shorter it may last, seconds: how long its last frame is shown, no container says. */
  readonly endApart?: number;
}

export interface Recording extends Made {
  readonly name: string;
  readonly audio?: true;
  readonly right: Right | Refusal;
}

/** The source is refused: its code, and what is said. */
export interface Refusal {
  readonly code: string;
  readonly says: RegExp;
}

export const isRefusal = (right: Right | Refusal): right is Refusal => 'code' in right;
