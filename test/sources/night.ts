/**
 * A camera that misbehaves in another way in each episode, the same way for the same seed. Pure: all of it follows from
 * the seed and from how long the camera has run. Seconds, unless a name says otherwise.
 */

export type NightFault =
  | { readonly kind: 'none' | 'sound-stops' | 'new-size' | 'long-gop' }
  /** Closes its connections, and refuses others so long. */
  | { readonly kind: 'dies'; readonly forSeconds: number }
  /** Closes its connections, and takes no session so long. */
  | { readonly kind: 'busy'; readonly forSeconds: number }
  /** Closes its connections, and takes so long to answer. */
  | { readonly kind: 'slow-start'; readonly forSeconds: number }
  /** Sends nothing so long, its connections open. */
  | { readonly kind: 'mute'; readonly forSeconds: number }
  /** One frame is stamped so far off. */
  | { readonly kind: 'blip'; readonly bySeconds: number }
  /** All frames from there on are. */
  | { readonly kind: 'jump'; readonly bySeconds: number }
  /** Stamps run so much faster. */
  | { readonly kind: 'wrong-rate'; readonly rate: number };

export type NightFaultKind = NightFault['kind'];

export interface Episode {
  readonly from: number;
  readonly to: number;
  readonly fault: NightFault;
}

/** What the camera does at a moment. */
export interface NightMoment {
  readonly episode: Episode;
  readonly clip: 'usual' | 'other-size' | 'long-gop';
  readonly sends: boolean;
  readonly sounds: boolean;
  /** What it stamps a frame with then. */
  readonly stamp: number;
  readonly refuses: 'nothing' | 'connections' | 'sessions';
  /** Before it answers a request. */
  readonly answersAfter: number;
}

/** Each kind of fault once, before any comes again. */
const KINDS: readonly NightFaultKind[] = [
  'dies',
  'blip',
  'jump',
  'wrong-rate',
  'sound-stops',
  'mute',
  'busy',
  'new-size',
  'long-gop',
  'slow-start',
  'none',
];
/** From the beginning of an episode to what happens in its midst. */
const MIDST = 4;
/** Of times that are sums of a frame's. */
const ROUNDING = 1e-6;
/** A GOP of two episodes. */
const LONG_EPISODES = 2;

/** Numbers from 0 to 1 that follow from the seed (mulberry32, public domain). */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export class Night {
  readonly #episodes: readonly Episode[];

  /** @param lasts how long it is known for; afterwards nothing is wrong. */
  constructor(seed: number, episodeSeconds: number, lasts: number) {
    this.#episodes = [...episodes(randomFrom(seed), episodeSeconds, lasts)];
  }

  get episodes(): readonly Episode[] {
    return this.#episodes;
  }

  at(seconds: number): NightMoment {
    const episode = this.#episodes.find(({ to }) => seconds < to) ?? NOTHING_WRONG;
    const { fault, from } = episode;
    const since = seconds - from;
    const lasts = (kind: NightFaultKind) =>
      fault.kind === kind && 'forSeconds' in fault && since < fault.forSeconds;
    return {
      episode,
      clip: clipOf(fault),
      sends: !(fault.kind === 'mute' && since >= MIDST && since < MIDST + fault.forSeconds),
      sounds: fault.kind !== 'sound-stops' || since < MIDST,
      stamp: this.#stampAt(seconds),
      refuses: refusalOf(lasts),
      answersAfter: fault.kind === 'slow-start' ? fault.forSeconds : 0,
    };
  }

  /** What a frame is stamped with. */
  #stampAt(seconds: number): number {
    let stamp = seconds;
    for (const { from, to, fault } of this.#episodes) {
      if (from > seconds) break;
      if (fault.kind === 'jump' && seconds >= from + MIDST) stamp += fault.bySeconds;
      if (fault.kind === 'wrong-rate') stamp += (Math.min(seconds, to) - from) * (fault.rate - 1);
    }
    return stamp;
  }

  /** By how much the frame is stamped off that is filmed then. @param period from one frame to the next. */
  blipAt(seconds: number, period: number): number {
    const { fault, from } = this.at(seconds).episode;
    const since = seconds - from - MIDST + ROUNDING;
    const first = since >= 0 && since < period;
    return fault.kind === 'blip' && first ? fault.bySeconds : 0;
  }
}

const NOTHING_WRONG: Episode = { from: 0, to: Number.POSITIVE_INFINITY, fault: { kind: 'none' } };

function* episodes(random: () => number, seconds: number, lasts: number): Generator<Episode> {
  let left: NightFaultKind[] = [];
  // The first is good, so that there is something to compare with.
  yield { from: 0, to: seconds, fault: { kind: 'none' } };
  for (let number = 1; number * seconds < lasts; ) {
    if (left.length === 0) left = shuffled(KINDS, random);
    // Two episodes of a long GOP begin with its keyframe.
    const at = left.findIndex((kind) => kind !== 'long-gop' || number % LONG_EPISODES === 0);
    const [kind = 'none'] = at === -1 ? ['none' as const] : left.splice(at, 1);
    const length = kind === 'long-gop' ? LONG_EPISODES : 1;
    yield { from: number * seconds, to: (number + length) * seconds, fault: faultOf(kind, random) };
    number += length;
  }
}

function shuffled<T>(items: readonly T[], random: () => number): T[] {
  return items
    .map((item) => ({ item, order: random() }))
    .sort((a, b) => a.order - b.order)
    .map(({ item }) => item);
}

function faultOf(kind: NightFaultKind, random: () => number): NightFault {
  const between = (least: number, most: number) => least + random() * (most - least);
  const sign = random() < 0.5 ? -1 : 1;
  switch (kind) {
    case 'dies':
    case 'busy':
      return { kind, forSeconds: between(2, 8) };
    case 'slow-start':
      return { kind, forSeconds: between(1, 3) };
    case 'mute':
      return { kind, forSeconds: between(6, 10) };
    case 'blip':
      return { kind, bySeconds: sign * between(2, 12) };
    case 'jump':
      return { kind, bySeconds: sign * between(5, 100) };
    case 'wrong-rate':
      return { kind, rate: sign > 0 ? 1.25 : 0.8 };
    case 'none':
    case 'sound-stops':
    case 'new-size':
    case 'long-gop':
      return { kind };
  }
}

function clipOf({ kind }: NightFault): NightMoment['clip'] {
  if (kind === 'new-size') return 'other-size';
  return kind === 'long-gop' ? 'long-gop' : 'usual';
}

function refusalOf(lasts: (kind: NightFaultKind) => boolean): NightMoment['refuses'] {
  if (lasts('dies')) return 'connections';
  return lasts('busy') ? 'sessions' : 'nothing';
}

/** Whether an episode begins with the end of every connection. */
export const hangsUp = ({ fault }: Episode): boolean => ['dies', 'busy', 'slow-start'].includes(fault.kind);
