import { existsSync } from 'node:fs';
import { basename, dirname } from 'node:path';

/** What a camera films. */
export interface Film {
  readonly what: string;
  /** As `oriel camera setup --source` takes it. */
  readonly source: string;
  /** The folder of this machine that it needs at /clips. */
  readonly clips?: string;
  /** Seconds between deaths of its source. */
  readonly diesEvery?: number;
}

const CLIP = '/usr/share/doc/opencv-doc/examples/data/vtest.avi';

const PATTERN: Film = { what: 'a painted counter', source: 'test:?size=640x360&rate=15' };
const SQUARE: Film = {
  what: 'a real clip',
  source: `file:/clips/${basename(CLIP)}?loop`,
  clips: dirname(CLIP),
};
const DYING: Film = { what: 'a source that dies', source: 'test:?size=320x240&rate=10', diesEvery: 10 };

/** Different things, in turn. */
export function filmOf(index: number): Film {
  const films = existsSync(CLIP) ? [PATTERN, SQUARE, DYING] : [PATTERN, DYING];
  return films[index % films.length] ?? PATTERN;
}
