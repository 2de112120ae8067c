/** Of what a peer chose, characters: what identifies it, and no more of the log than a line. */
const MAX_CHARACTERS = 200;

/** A peer's text as a log holds it; so that its length is not the peer's to choose. */
export function inLog(text: string, most?: number): string;
export function inLog(text: string | undefined, most?: number): string | undefined;
export function inLog(text: string | undefined, most = MAX_CHARACTERS): string | undefined {
  return text === undefined || text.length <= most
    ? text
    : `${text.slice(0, most)}… (${text.length} characters)`;
}
