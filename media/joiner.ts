import { onlyBox, readBoxes, viewOf } from './boxes.ts';
import { readEdits, withoutEdits } from './edits.ts';
import { MediaError } from './errors.ts';
import { readFragment, type TrackFragment } from './fragment.ts';
import { type InitInfo, parseInit } from './init.ts';
import { movieBox } from './movie.ts';
import { SampleTable } from './samples.ts';
import { concat, largeBoxHeader, reservedHeader } from './writer.ts';

/** Bytes to be written over those at `offset`. */
export interface Patch {
  readonly offset: number;
  readonly bytes: Uint8Array;
}

/** By how much sound may begin before the picture, or outlast it, in a run, microseconds. */
const MAX_LEAD_US = 2_000_000;

/**
 * Puts fragments of one init segment together to an MP4 file, on a timeline that begins at 0.
 *
 * While it grows the file is fragmented MP4: `ftyp free moov (moof mdat)*`, playable if it ends there. Its end adds a
 * moov with all sample tables, and the patch makes of the `free` one mdat around everything between: an ordinary
 * MP4, which every player seeks in and counts. Where a gap is too long for a sample table (2^31 ticks), or a track has more
 * samples than one is made for, it stays fragmented, with no tail and no patch.
 *
 * A place for every fragment comes from the caller, who keeps one shift for all fragments of one ffmpeg run, so that
 * a gap keeps its time. A track never goes back: a fragment placed before the last sample of its track, or
 * before 0, starts one tick after that sample, or at 0; `shiftFor` says which shift has none of that. Edit lists of the init
 * segment, which no file keeps, move a track as far as they would against the video.
 */
export class Joiner {
  readonly #init: Uint8Array;
  readonly #info: InitInfo;
  readonly #tables: ReadonlyMap<number, SampleTable>;
  /** By track, ticks that its edit list moves it against the video. */
  readonly #edits: ReadonlyMap<number, number>;
  readonly #head: Uint8Array;
  readonly #reservedAt: number;
  #size: number;
  #sequenceNumber = 0;

  /** `init` is ftyp and moov. Throws MediaError also for one that `finish` could not carry over. */
  constructor(init: Uint8Array) {
    this.#init = init.slice();
    this.#info = parseInit(init);
    this.#tables = new Map(this.#info.tracks.map(({ id }) => [id, new SampleTable()]));
    this.#edits = readEdits(init, this.#info);
    const ftyp = onlyBox([...readBoxes(init)], 'ftyp');
    this.#head = concat([init.subarray(ftyp.start, ftyp.end), reservedHeader(), withoutEdits(init)]);
    this.#reservedAt = ftyp.end - ftyp.start;
    this.#size = this.#head.length;
    this.#movie();
  }

  /** What the file begins with. */
  head(): Uint8Array {
    return this.#head;
  }

  /**
   * Throws MediaError unless `add` would carry all these fragments over, in this order, each moved by `shiftUs`. Changes
   * nothing.
   */
  check(fragments: readonly Uint8Array[], shiftUs: number): void {
    const next = new Map([...this.#tables].map(([id, table]) => [id, table.next]));
    for (const fragment of fragments) {
      for (const traf of readFragment(fragment, this.#info).tracks) {
        const time = place(traf, this.#moved(traf, shiftUs), next.get(traf.track.id) ?? 0);
        checkTfdt(fragment, traf.tfdtBody, time);
        if (traf.samples.length === 0) continue;
        const lasting = traf.samples.slice(0, -1).reduce((sum, { duration }) => sum + duration, 0);
        next.set(traf.track.id, time + lasting + 1);
      }
    }
  }

  /**
   * The least shift, not below `wantedUs`, with which the first fragments of a run keep sound and picture as far apart as they
   * are: no track begins before 0, or before the end of what the file has of it. A track that would need over
   * MAX_LEAD_US more is left out: its times have nothing to do with the others'. Throws MediaError.
   */
  shiftFor(fragments: readonly Uint8Array[], wantedUs: number): number {
    const seen = new Set<number>();
    let shiftUs = wantedUs;
    for (const fragment of fragments) {
      for (const traf of readFragment(fragment, this.#info).tracks) {
        const { track, decodeTime, samples } = traf;
        if (samples.length === 0 || seen.has(track.id)) continue;
        seen.add(track.id);
        const begin = decodeTime + this.#moved(traf, 0);
        const neededUs = ((this.#tableOf(traf).end - begin) / track.timescale) * 1e6;
        if (neededUs <= wantedUs + MAX_LEAD_US) shiftUs = Math.max(shiftUs, neededUs);
      }
    }
    return shiftUs;
  }

  /**
   * The bytes that carry a fragment (moof and mdat) on, its tracks moved by `shiftUs` microseconds: for one that shall
   * stand at T, T less its `decodeTimeUs`. Throws MediaError, and is then as before.
   */
  add(fragment: Uint8Array, shiftUs: number): Uint8Array {
    const { tracks, sequenceNumberAt } = readFragment(fragment, this.#info);
    const bytes = fragment.slice();
    const placed = tracks.map((traf) => {
      const time = place(traf, this.#moved(traf, shiftUs), this.#tableOf(traf).next);
      writeTfdt(bytes, traf.tfdtBody, time);
      return { traf, time };
    });
    this.#sequenceNumber += 1;
    viewOf(bytes).setUint32(sequenceNumberAt, this.#sequenceNumber);
    for (const { traf, time } of placed) this.#tableOf(traf).add(this.#size, time, traf.samples);
    this.#size += bytes.length;
    return bytes;
  }

  /** What the file ends with, and what of it has then to be written over. */
  finish(): { tail: Uint8Array; patches: Patch[] } {
    if (![...this.#tables.values()].every(({ representable }) => representable)) {
      return { tail: new Uint8Array(0), patches: [] };
    }
    const header = largeBoxHeader('mdat', this.#size - this.#reservedAt);
    return { tail: this.#movie(), patches: [{ offset: this.#reservedAt, bytes: header }] };
  }

  #movie(): Uint8Array {
    return movieBox(this.#init, this.#info, this.#tables);
  }

  /** Ticks of its track. */
  #moved({ track }: TrackFragment, shiftUs: number): number {
    return Math.round((shiftUs / 1e6) * track.timescale) + (this.#edits.get(track.id) ?? 0);
  }

  #tableOf({ track }: TrackFragment): SampleTable {
    return this.#tables.get(track.id) as SampleTable;
  }
}

/** Where a track's part of a fragment comes to stand, in its ticks, `shift` too: never before `next`. */
function place({ decodeTime }: TrackFragment, shift: number, next: number): number {
  const time = Math.max(decodeTime + shift, next);
  if (!Number.isSafeInteger(time)) throw new MediaError('TIME_RANGE', 'fragment placed beyond 2^53 ticks');
  return time;
}

/** Whether the tfdt has 64 bits. @throws MediaError TIME_RANGE when it is too narrow for `time`. */
function checkTfdt(bytes: Uint8Array, tfdtBody: number, time: number): boolean {
  const wide = viewOf(bytes).getUint8(tfdtBody) === 1;
  if (!wide && time > 0xffff_ffff) throw new MediaError('TIME_RANGE', 'time beyond a 32-bit tfdt');
  return wide;
}

/** tfdt, ISO/IEC 14496-12 section 8.8.12, in the width that it has. */
function writeTfdt(bytes: Uint8Array, tfdtBody: number, time: number): void {
  const view = viewOf(bytes);
  if (checkTfdt(bytes, tfdtBody, time)) view.setBigUint64(tfdtBody + 4, BigInt(time));
  else view.setUint32(tfdtBody + 4, time);
}
