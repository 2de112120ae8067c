import type { Telemetry } from '../../wire/telemetry.ts';
import { LruMap } from '../http/lru.ts';
import type { TwinSign } from '../registry/twin-table.ts';

const WHY: Readonly<Record<TwinSign, string>> = {
  sessions: 'two sessions follow the same one, which a disk that lost a session does too',
  connections: 'their connections replace each other',
};

/** @param at when it was seen, where that is not now. */
export const twinText = (sign: TwinSign, at?: string): string =>
  `two cameras show this identity (${[WHY[sign], ...(at === undefined ? [] : [at])].join(', ')}): if its card was ` +
  'copied, run `oriel camera reset DIR --yes` on the copy and pair it anew';

/** A camera that can keep nothing, since its card is read-only or full, begins the same session at each of its starts. */
export const isOfNoDisk = (sign: TwinSign, telemetry: Pick<Telemetry, 'machine'> | undefined): boolean =>
  sign === 'sessions' && telemetry?.machine.diskFreeBytes === 0;

export interface SessionSeen {
  /** Hex. */
  readonly id: string;
  readonly number: number;
  /** Hash of the session before, hex; zeros for a camera's first. */
  readonly previous: string;
}

/** Cameras that are remembered, those seen last: as many as may be connected. */
const REMEMBERED_CAMERAS = 4_096;
/** Sessions that are remembered of a camera, since the start of the server: those of nearly two days. */
const SESSIONS = 256;
/** Of each when there are as many cameras as are remembered, which takes 64 MiB: those of half a day. */
const SESSIONS_OF_MANY = 64;
/**
 * So many connections replaced within this time, ms. A camera whose line is lost and found again replaces its own, but has to
 * notice the loss first; two cameras replace each other's every few seconds.
 */
const REPLACED = 8;
const WITHIN_MS = 60_000;

interface Known {
  /** Id of the session, by its number and by the session before it. */
  readonly byMark: Map<string, string>;
  replacedAtMs: number[];
}

export class TwinWatch {
  readonly #cameras: LruMap<string, Known>;
  readonly #sessionsInAll: number;

  constructor(cameras = REMEMBERED_CAMERAS) {
    this.#cameras = new LruMap(cameras);
    this.#sessionsInAll = cameras * SESSIONS_OF_MANY;
  }

  /** A session was announced. Undefined while nothing is wrong. */
  session(camera: string, { id, number, previous }: SessionSeen): TwinSign | undefined {
    const { byMark } = this.#of(camera);
    const marks = /^0*$/.test(previous) ? [`n${number}`] : [`n${number}`, `p${previous}`];
    const isForked = marks.some((mark) => (byMark.get(mark) ?? id) !== id);
    for (const mark of marks) byMark.set(mark, id);
    const remembered = Math.min(SESSIONS, Math.floor(this.#sessionsInAll / this.#cameras.size));
    while (byMark.size > 2 * remembered) byMark.delete(byMark.keys().next().value as string);
    return isForked ? 'sessions' : undefined;
  }

  /** A camera's control connection took the place of one that was alive. */
  replaced(camera: string, nowMs: number): TwinSign | undefined {
    const known = this.#of(camera);
    known.replacedAtMs = [...known.replacedAtMs.filter((at) => nowMs - at < WITHIN_MS), nowMs].slice(
      -REPLACED,
    );
    return known.replacedAtMs.length === REPLACED ? 'connections' : undefined;
  }

  #of(camera: string): Known {
    const known = this.#cameras.get(camera) ?? { byMark: new Map(), replacedAtMs: [] };
    this.#cameras.set(camera, known);
    return known;
  }
}
