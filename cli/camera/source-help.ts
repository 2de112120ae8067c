import { SOURCE_KINDS } from '../../agent/capture/source.ts';

/** What `--source` takes: one text for every command that has the option. */

const schemes = SOURCE_KINDS.map(({ schemes: [first] }) => `${first}:`);
export const SOURCES = `where the video comes from: ${schemes.slice(0, -1).join(', ')} or ${schemes.at(-1)}, as below ("-": read it from standard input)`;

/** Cameras first. */
const helps = SOURCE_KINDS.toSorted((a, b) => Number(b.traits.live) - Number(a.traits.live)).map(
  ({ help }) => help,
);

export const SOURCE_HELP = `
Sources:
${helps.map(({ form, lines }) => [`  ${form}`, ...lines.map((line) => `      ${line}`)].join('\n')).join('\n')}
  A size has even sides from 64 to 4096. A rate is 1 to 120 frames a second, as 25, 12.5, 29.97 or 30000/1001.

Examples:
${helps.map(({ example }) => `  ${example}`).join('\n')}`;
