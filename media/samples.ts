import type { Sample } from './fragment.ts';
import { box, fullBox, u32s, u64s } from './writer.ts';

/** Larger 32-bit deltas and offsets are read as negative by players, ffmpeg's demuxer among them. */
const MAX_TABLE_VALUE = 0x7fff_ffff;

/**
 * Samples of one track that a table is made for: a week at 25 frames a second. Each costs some bytes of memory until the
 * file is done, and a fragment can hold many that cost it next to nothing.
 */
export const MAX_TABLE_SAMPLES = 1 << 24;

/** Equal values in a row, as stts and ctts keep them: count and value of each run, in one list. */
class RunLengths {
  readonly #flat: number[];

  constructor(flat: readonly number[] = []) {
    this.#flat = [...flat];
  }

  add(value: number): this {
    const last = this.#flat.length - 1;
    if (last > 0 && this.#flat[last] === value) this.#flat[last - 1] = (this.#flat[last - 1] as number) + 1;
    else this.#flat.push(1, value);
    return this;
  }

  clear(): void {
    this.#flat.length = 0;
  }

  get flat(): readonly number[] {
    return this.#flat;
  }
}

/**
 * The sample table of one track (ISO/IEC 14496-12 section 8.5.1), filled a fragment at a time.
 * Times are ticks of the track; a gap before a fragment lengthens the sample before it.
 */
export class SampleTable {
  readonly #deltas = new RunLengths();
  readonly #compositionOffsets = new RunLengths();
  readonly #sizes: number[] = [];
  readonly #syncSamples: number[] = [];
  readonly #chunkOffsets: number[] = [];
  /** First chunk, samples per chunk and sample description index of each run of equal chunks: section 8.7.4. */
  readonly #chunkRuns: number[] = [];
  readonly #most: number;
  #start = 0;
  #largest = 0;
  #full = false;
  #last: { readonly time: number; readonly duration: number } | undefined;

  /** @param most samples that it keeps; with more, it only keeps account of time. */
  constructor(most = MAX_TABLE_SAMPLES) {
    this.#most = most;
  }

  /** Decode time of the first sample. */
  get start(): number {
    return this.#start;
  }

  /** By how much the first sample is shown after it is decoded. */
  get firstCompositionOffset(): number {
    return this.#compositionOffsets.flat[1] ?? 0;
  }

  /** Decode time at which the last sample ends. */
  get end(): number {
    return this.#last ? this.#last.time + this.#last.duration : 0;
  }

  /** The earliest decode time at which the next sample can stand. */
  get next(): number {
    return this.#last ? this.#last.time + 1 : 0;
  }

  /** Whether a sample table can tell all of it: stts and ctts have 32 bits, a gap may need more; nor are there too many. */
  get representable(): boolean {
    return !this.#full && Math.max(this.#largest, this.#last?.duration ?? 0) <= MAX_TABLE_VALUE;
  }

  /** Adds the samples of a fragment that stands at `fragmentOffset` in the file, the first decoded at `time`. */
  add(fragmentOffset: number, time: number, samples: readonly Sample[]): void {
    if (this.#sizes.length + samples.length > this.#most) this.#giveUp();
    if (this.#full) {
      this.#keepTime(time, samples);
      return;
    }
    let at = time;
    for (const chunk of chunksOf(samples)) {
      this.#addChunk(fragmentOffset + (chunk[0] as Sample).offset, chunk.length);
      for (const sample of chunk) {
        this.#addSample(at, sample);
        at += sample.duration;
      }
    }
  }

  #giveUp(): void {
    this.#full = true;
    for (const list of [this.#sizes, this.#syncSamples, this.#chunkOffsets, this.#chunkRuns]) list.length = 0;
    this.#deltas.clear();
    this.#compositionOffsets.clear();
  }

  #keepTime(time: number, samples: readonly Sample[]): void {
    const last = samples.at(-1);
    if (last === undefined) return;
    const before = samples.slice(0, -1).reduce((sum, { duration }) => sum + duration, 0);
    this.#last = { time: time + before, duration: last.duration };
  }

  #addChunk(offset: number, samples: number): void {
    this.#chunkOffsets.push(offset);
    if (this.#chunkRuns.at(-2) !== samples) this.#chunkRuns.push(this.#chunkOffsets.length, samples, 1);
  }

  #addSample(time: number, { size, duration, compositionOffset, sync }: Sample): void {
    const delta = this.#last ? time - this.#last.time : 0;
    if (this.#last) this.#deltas.add(delta);
    else this.#start = time;
    this.#largest = Math.max(this.#largest, delta, compositionOffset);
    this.#last = { time, duration };
    this.#sizes.push(size);
    this.#compositionOffsets.add(compositionOffset);
    if (sync) this.#syncSamples.push(this.#sizes.length);
  }

  /** The stbl box, around the init segment's own stsd: sections 8.6.1.2, 8.6.1.3, 8.6.2, 8.7.3.2, 8.7.4 and 8.7.5. */
  toBox(stsd: Uint8Array): Uint8Array {
    const deltas = new RunLengths(this.#deltas.flat);
    if (this.#last) deltas.add(this.#last.duration);
    const offsets = this.#compositionOffsets.flat;
    const signed = offsets.some((offset) => offset < 0) ? 1 : 0;
    const allSync = this.#syncSamples.length === this.#sizes.length;
    return box(
      'stbl',
      stsd,
      table('stts', deltas.flat, 2),
      table('ctts', offsets, 2, signed),
      ...(allSync ? [] : [table('stss', this.#syncSamples, 1)]),
      table('stsc', this.#chunkRuns, 3),
      fullBox('stsz', 0, 0, u32s([0, this.#sizes.length]), u32s(this.#sizes)),
      fullBox('co64', 0, 0, u32s([this.#chunkOffsets.length]), u64s(this.#chunkOffsets)),
    );
  }
}

/** A FullBox of a count and entries of so many 32-bit values each. */
const table = (type: string, values: readonly number[], perEntry: number, version = 0): Uint8Array =>
  fullBox(type, version, 0, u32s([values.length / perEntry]), u32s(values));

/** The samples in groups whose data lies together: chunks, in the words of section 3.1. */
function chunksOf(samples: readonly Sample[]): Sample[][] {
  const chunks: Sample[][] = [];
  let end: number | undefined;
  for (const sample of samples) {
    if (sample.offset === end) chunks.at(-1)?.push(sample);
    else chunks.push([sample]);
    end = sample.offset + sample.size;
  }
  return chunks;
}
