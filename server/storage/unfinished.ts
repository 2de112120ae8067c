import { toBase64Url } from '../../crypto/bytes.ts';
import type { UnfinishedSegments } from '../../wire/upload.ts';
import { LruMap } from '../http/lru.ts';
import type { FootageStore } from './footage-store.ts';
import { looksEnded } from './segment-file.ts';
import { type SegmentName, type Segments, segmentKey } from './segments.ts';
import type { Sessions } from './sessions.ts';

/** Older sessions are not searched for unfinished segments: their cameras had their chance. */
const SESSIONS_SEARCHED = 50;
const MAX_LISTED = 1000;
/** Of a camera: one that begins ever more and ends none costs no more memory, and no more files are looked at. */
const MAX_KNOWN = 4096;
const CACHED_CAMERAS = 4096;

interface Found {
  readonly names: Map<string, SegmentName>;
  readonly searched: Promise<void>;
}

/**
 * Which segments of a camera have neither closing record nor mark. A camera's newest sessions are searched once,
 * by the last bytes of each file; from then on writers report what they begin and end.
 */
export class Unfinished {
  readonly #store: FootageStore;
  readonly #sessions: Sessions;
  readonly #segments: Segments;
  readonly #cameras = new LruMap<string, Found>(CACHED_CAMERAS);

  constructor(store: FootageStore, sessions: Sessions, segments: Segments) {
    this.#store = store;
    this.#sessions = sessions;
    this.#segments = segments;
  }

  /** What the wire calls UnfinishedSegments. @throws HostError. */
  async list(camera: string): Promise<UnfinishedSegments> {
    const { names, searched } = this.#of(camera);
    await searched;
    const segments: UnfinishedSegments['segments'] = [];
    for (const [key, name] of [...names].sort(([, a], [, b]) => inOrder(a, b))) {
      const { header, durable } = await this.#segments.inspect(name);
      if (header === undefined || durable.ended) names.delete(key);
      if (header === undefined || durable.length === 0 || durable.ended) continue;
      segments.push({
        session: name.session.id,
        sequence: name.sequence,
        header: toBase64Url(header),
        durable: durable.length,
      });
      if (segments.length === MAX_LISTED) break;
    }
    return { segments };
  }

  /** A segment was begun. */
  began(name: SegmentName): void {
    const names = this.#cameras.get(name.session.camera)?.names;
    if (names !== undefined) remember(names, name);
  }

  /** A segment's end is durable. */
  ended(name: SegmentName): void {
    this.#cameras.get(name.session.camera)?.names.delete(segmentKey(name));
  }

  #of(camera: string): Found {
    const known = this.#cameras.get(camera);
    if (known !== undefined) return known;
    const names = new Map<string, SegmentName>();
    const found = { names, searched: this.#search(camera, names) };
    this.#cameras.set(camera, found);
    found.searched.catch(() => this.#cameras.delete(camera));
    return found;
  }

  async #search(camera: string, names: Map<string, SegmentName>): Promise<void> {
    for (const session of await this.#sessions.newest(camera, SESSIONS_SEARCHED)) {
      for (const sequence of await this.#store.segments(session)) {
        const name = { session, sequence };
        if (await this.#isOpen(name)) remember(names, name);
      }
    }
  }

  async #isOpen(name: SegmentName): Promise<boolean> {
    const file = await this.#store.openSegment(name, 'read');
    if (file === undefined) return false;
    try {
      return !(await looksEnded(file));
    } finally {
      await file.close();
    }
  }
}

/** The oldest give way. */
function remember(names: Map<string, SegmentName>, name: SegmentName): void {
  names.set(segmentKey(name), name);
  if (names.size <= MAX_KNOWN) return;
  const [oldest] = names.keys();
  if (oldest !== undefined) names.delete(oldest);
}

function inOrder(a: SegmentName, b: SegmentName): number {
  return (
    a.session.number - b.session.number || a.session.id.localeCompare(b.session.id) || a.sequence - b.sequence
  );
}
