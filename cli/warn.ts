/** A warning on stderr. */
export const warn = (text: string): void => console.error(`oriel: warning: ${text}`);
