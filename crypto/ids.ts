import * as v from 'valibot';

/** An id of a camera or a viewer as text: 16 bytes in base32 (RFC 4648 section 6), in lower case, without padding. */
export const IdText = v.pipe(v.string(), v.regex(/^[a-z2-7]{32}$/));

export const isIdText = (text: string): boolean => v.is(IdText, text);
