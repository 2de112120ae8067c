const LINE_LIMIT = 300;

/**
 * A line of ffmpeg's that may be shown: no credentials (it prints the URLs it opens), no control characters,
 * bounded length.
 * @param credentials `user:password` of the source, as in its URL
 */
export function redactLine(line: string, credentials: string | null): string {
  let clean = line.replaceAll(/\p{Cc}/gu, ' ');
  for (const secret of secretsOf(credentials)) {
    clean = clean.replaceAll(secret, '***');
  }
  // Greedy to the last @: a password may hold one.
  clean = clean.replaceAll(/\b(rtsps?|https?):\/\/\S*@/gi, '$1://');
  // Some cameras take the password as a parameter, of the query or of the path.
  clean = clean.replaceAll(/\b((?:rtsps?|https?):\/\/[^\s?=&;]*)[?=&;]\S*/gi, '$1…');
  return clean.trim().slice(0, LINE_LIMIT);
}

/** The credentials and the password in them, as written and decoded; the longest first. */
function secretsOf(credentials: string | null): string[] {
  if (credentials === null) {
    return [];
  }
  const colon = credentials.indexOf(':');
  const password = colon === -1 ? '' : credentials.slice(colon + 1);
  return [credentials, decode(credentials), password, decode(password)].filter((secret) => secret !== '');
}

/** Each escape by itself: what is none stays, and is no reason to leave the others (RFC 3986 section 2.1). */
function decode(text: string): string {
  return text.replaceAll(/(?:%[0-9a-f]{2})+/gi, (escapes) =>
    Buffer.from(escapes.replaceAll('%', ''), 'hex').toString('utf8'),
  );
}
