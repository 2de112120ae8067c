/** Of what a peer chose, characters: what identifies it, and no more of the log than a line. */
const MAX_CHARACTERS = 200;

/** A peer's text as a log holds it; so that its length is not the peer's to choose. */
export function inLog(text: string): string;
export function inLog(text: string | undefined): string | undefined;
export function inLog(text: string | undefined): string | undefined {
  if (text === undefined || text.length <= MAX_CHARACTERS) return text;
  return `${text.slice(0, MAX_CHARACTERS)}… (${text.length} characters)`;
}
