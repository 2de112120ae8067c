/** Exit codes of `oriel`, the same on every level. */
export const EXIT = {
  ok: 0,
  failure: 1,
  usage: 2,
  incomplete: 3,
  refused: 4,
} as const;

/** What each means, for people (docs/reference/command-line.md). */
export const EXIT_MEANINGS: Readonly<Record<keyof typeof EXIT, string>> = {
  ok: 'done; of what shows a state: all is in order',
  failure: 'it failed, for a reason that is not in the footage; the last word of the message is a code',
  usage: 'the command line was not understood, or a command was given without its subcommand',
  incomplete: '`oriel footage`: it opened, but some of it is cut, still open, or missing',
  refused: '`oriel footage`: some of it was refused: altered, forged, or not for this key',
};
