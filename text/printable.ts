/** What a terminal would obey rather than show: controls but for the line feed, and marks that reorder a line. */
const UNPRINTABLE = /(?!\n)[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu;

/** Text of somebody else's, fit for a terminal. */
export const printable = (text: string): string => text.replace(UNPRINTABLE, '');

/** JSON on one line, fit for a terminal. */
export const jsonLine = (value: unknown): string => escapedJson(JSON.stringify(value));

/** The same JSON, with all that a terminal would obey escaped. */
export const escapedJson = (json: string): string =>
  json.replace(UNPRINTABLE, (mark) => `\\u${mark.charCodeAt(0).toString(16).padStart(4, '0')}`);

/**
 * Text without setup codes and passwords of URLs, which a person may have typed where something else belongs: an
 * error quotes what it does not understand, and a terminal's output is copied on.
 */
export const withoutSecrets = (text: string): string =>
  text.replace(/\boriel(\d{1,3}):[\w+/=-]+/gi, 'oriel$1:***').replace(/(\w:\/\/)[^\s'"]*@/g, '$1***@');
