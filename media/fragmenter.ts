import { BOX_HEADER, type BoxHeader, fourcc, LARGE_BOX_HEADER, readBoxHeader, viewOf } from './boxes.ts';
import { MediaError } from './errors.ts';
import { type FragmentInfo, parseFragment } from './fragment.ts';
import { type InitInfo, parseInit } from './init.ts';

/** Bytes a box may have, header included. `pending` bounds what is held at once (moof and mdat, ftyp and moov). */
export interface FragmenterLimits {
  readonly moov: number;
  readonly moof: number;
  readonly mdat: number;
  /** Passed over, never held; ffmpeg's grows by some 20 bytes a fragment. */
  readonly mfra: number;
  readonly other: number;
  readonly pending: number;
}

export const DEFAULT_LIMITS: FragmenterLimits = {
  moov: 1 << 20,
  moof: 1 << 20,
  mdat: 16 << 20,
  mfra: 64 << 20,
  other: 64 << 10,
  pending: 17 << 20,
};

/** ftyp and moov, byte for byte. */
export interface InitEvent {
  readonly kind: 'init';
  readonly bytes: Uint8Array;
  readonly info: InitInfo;
}

/** moof and mdat, byte for byte. */
export interface FragmentEvent extends FragmentInfo {
  readonly kind: 'fragment';
  readonly bytes: Uint8Array;
}

export type MediaEvent = InitEvent | FragmentEvent;

/** Where the stream stands: what it has brought last of the boxes that count. */
type Place = 'start' | 'ftyp' | 'moov' | 'moof' | 'mdat' | 'mfra';

/** Which boxes that count may follow which. */
const FOLLOWERS: Readonly<Record<Place, readonly string[]>> = {
  start: ['ftyp'],
  ftyp: ['moov'],
  moov: ['moof', 'mfra'],
  moof: ['mdat'],
  mdat: ['moof', 'mfra'],
  mfra: [],
};

/** Passed over between fragments: ISO/IEC 14496-12 sections 8.1.2, 8.16.2 to 8.16.5, and emsg of ISO/IEC 23009-1. */
const PASSED_OVER: readonly string[] = ['free', 'skip', 'styp', 'sidx', 'ssix', 'prft', 'emsg'];

/**
 * Splits a stream of fragmented MP4 (ISO/IEC 14496-12 section 8.8), as ffmpeg writes it with
 * `-movflags +empty_moov+default_base_moof+frag_keyframe`, into its init segment and its fragments:
 * `ftyp moov (moof mdat)* mfra?`, with boxes of PASSED_OVER between them.
 *
 * A refusal is final: every later call throws the same MediaError.
 */
export class Fragmenter {
  readonly #limits: FragmenterLimits;
  readonly #header = new Uint8Array(LARGE_BOX_HEADER);
  readonly #headerView = viewOf(this.#header);
  #headerFill = 0;
  /** Bytes of the current box that are still to come. */
  #missing = 0;
  #keeping = false;
  #kept = new Uint8Array(0);
  #keptFill = 0;
  #place: Place = 'start';
  #init: InitInfo | undefined;
  #refusal: MediaError | undefined;

  constructor(limits: Partial<FragmenterLimits> = {}) {
    this.#limits = { ...DEFAULT_LIMITS, ...limits };
  }

  /** Bytes held for an event that is not complete; at most the limit `pending` and one header. */
  get pendingBytes(): number {
    return this.#keptFill + this.#headerFill;
  }

  /**
   * Takes the next bytes of the stream, in any split, and answers what they complete, in bytes of its own
   * (the chunk may be reused). A refusal that comes after complete events in the chunk is thrown by the next call.
   */
  push(chunk: Uint8Array): MediaEvent[] {
    if (this.#refusal) throw this.#refusal;
    const events: MediaEvent[] = [];
    try {
      for (let at = 0; at < chunk.length; ) {
        at += this.#missing > 0 ? this.#takeBody(chunk, at) : this.#takeHeader(chunk, at);
        const event = this.#completed();
        if (event) events.push(event);
      }
    } catch (error) {
      this.#refuse(error);
      if (events.length === 0) throw error;
    }
    return events;
  }

  /** The stream has ended. Throws TRUNCATED unless it did so between fragments. */
  end(): void {
    if (this.#refusal) throw this.#refusal;
    if (this.#missing === 0 && this.pendingBytes === 0 && this.#init) return;
    const error = new MediaError('TRUNCATED', 'stream ended inside a box, a fragment or the init segment');
    this.#refuse(error);
    throw error;
  }

  #refuse(error: unknown): void {
    this.#refusal = error as MediaError;
    this.#headerFill = 0;
    this.#release();
  }

  #release(): void {
    this.#kept = new Uint8Array(0);
    this.#keptFill = 0;
  }

  /** Takes bytes up to the next size at which a header may be whole: 8, or 16 for a 64-bit size. */
  #takeHeader(chunk: Uint8Array, at: number): number {
    const wanted = this.#headerFill < BOX_HEADER ? BOX_HEADER : LARGE_BOX_HEADER;
    const taken = Math.min(wanted - this.#headerFill, chunk.length - at);
    this.#header.set(chunk.subarray(at, at + taken), this.#headerFill);
    this.#headerFill += taken;
    if (this.#headerFill === BOX_HEADER) this.#checkType(fourcc(this.#headerView, 4));
    const header = readBoxHeader(this.#headerView, 0, this.#headerFill);
    if (header) this.#open(header);
    return taken;
  }

  #checkType(type: string): void {
    if (PASSED_OVER.includes(type) && this.#place !== 'start' && this.#place !== 'moof') return;
    if (FOLLOWERS[this.#place].includes(type)) return;
    if (type === 'moov' && this.#init) throw new MediaError('BOX_REPEATED', 'a second moov');
    if (this.#place === 'moof') throw new MediaError('MDAT_MISSING', 'moof not followed by mdat');
    if (type in FOLLOWERS || PASSED_OVER.includes(type)) {
      throw new MediaError('BOX_ORDER', `${type} after ${this.#place}`);
    }
    throw new MediaError('BOX_TYPE', 'not a box of fragmented MP4');
  }

  #open({ type, size, headerSize }: BoxHeader): void {
    const passedOver = PASSED_OVER.includes(type);
    if (size > this.#limitOf(type)) throw new MediaError('BOX_LIMIT', `${type} of ${size} bytes`);
    this.#keeping = !passedOver && type !== 'mfra';
    if (this.#keeping) {
      if (this.#keptFill + size > this.#limits.pending) throw new MediaError('BOX_LIMIT', 'too much pending');
      this.#reserve(this.#keptFill + size);
      this.#keep(this.#header.subarray(0, headerSize));
    }
    if (!passedOver) this.#place = type as Place;
    this.#headerFill = 0;
    this.#missing = size - headerSize;
  }

  #limitOf(type: string): number {
    switch (type) {
      case 'moov':
      case 'moof':
      case 'mdat':
      case 'mfra':
        return this.#limits[type];
      default:
        return this.#limits.other;
    }
  }

  #reserve(size: number): void {
    const kept = new Uint8Array(size);
    kept.set(this.#kept.subarray(0, this.#keptFill));
    this.#kept = kept;
  }

  #keep(bytes: Uint8Array): void {
    this.#kept.set(bytes, this.#keptFill);
    this.#keptFill += bytes.length;
  }

  #takeBody(chunk: Uint8Array, at: number): number {
    const taken = Math.min(this.#missing, chunk.length - at);
    if (this.#keeping) this.#keep(chunk.subarray(at, at + taken));
    this.#missing -= taken;
    return taken;
  }

  /** The event whose last box has just ended, if one has. */
  #completed(): MediaEvent | undefined {
    if (this.#missing > 0 || this.#headerFill > 0 || !this.#keeping) return undefined;
    if (this.#place !== 'moov' && this.#place !== 'mdat') return undefined;
    const bytes = this.#kept;
    this.#release();
    this.#keeping = false;
    if (this.#place === 'mdat') {
      return { kind: 'fragment', bytes, ...parseFragment(bytes, this.#init as InitInfo) };
    }
    this.#init = parseInit(bytes);
    return { kind: 'init', bytes, info: this.#init };
  }
}
