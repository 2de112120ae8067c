import { CaptureError } from './errors.ts';
import { file } from './sources/file.ts';
import type { SourceKind, SourceTraits } from './sources/interface.ts';
import { rtsp } from './sources/rtsp.ts';
import { test } from './sources/test.ts';
import { v4l2 } from './sources/v4l2.ts';

/** Every kind of source that there is. */
export const SOURCE_KINDS = [file, test, v4l2, rtsp] as const satisfies readonly SourceKind[];

/** Where video comes from. */
export type Source = ReturnType<(typeof SOURCE_KINDS)[number]['parse']>;

/** Longest source URI, in characters. */
export const SOURCE_LIMIT = 1024;

/**
 * Parses a source URI, as `oriel camera setup --help` lists them.
 * @param lan hosts (`host` or `host:port`, in any spelling) the owner listed; no other is dialled
 * @throws CaptureError SOURCE_*; never with a password in it
 */
export function parseSource(uri: string, lan: readonly string[]): Source {
  if (uri.length > SOURCE_LIMIT) {
    throw new CaptureError('SOURCE_SYNTAX', `a source is at most ${SOURCE_LIMIT} characters long`);
  }
  if (/\p{Cc}/u.test(uri)) {
    throw new CaptureError('SOURCE_SYNTAX', 'a source holds no control characters');
  }
  const scheme = schemeOf(uri);
  const kind = kindOf(scheme);
  if (kind === undefined) {
    const schemes = SOURCE_KINDS.flatMap((each) => each.schemes.map((name) => `${name}:`));
    const list = `${schemes.slice(0, -1).join(', ')} or ${schemes.at(-1)}`;
    throw new CaptureError('SOURCE_SCHEME', `a source begins with ${list}`);
  }
  return kind.parse(uri.slice(scheme.length + 1), scheme, lan);
}

/** What holds of a URI's kind, without parsing it; undefined of one that no source has. */
export const traitsOf = (uri: string): SourceTraits | undefined => kindOf(schemeOf(uri))?.traits;

const schemeOf = (uri: string) => uri.slice(0, Math.max(uri.indexOf(':'), 0));
const kindOf = (scheme: string) => SOURCE_KINDS.find(({ schemes }) => schemes.includes(scheme));
