import { MediaError } from './errors.ts';

/** More leading zeros than a code of 32 bits has (ITU-T H.264, section 9.1). */
const MAX_LEADING_ZEROS = 32;

/**
 * Reads the bits of a NAL unit from `start` on, without the bytes that prevent start codes (ITU-T H.264 |
 * ISO/IEC 14496-10, section 7.4.1). Copies nothing. Throws PARAMETER_SET past the end.
 */
export class BitReader {
  readonly #bytes: Uint8Array;
  #at: number;
  #zeros = 0;
  #current = 0;
  #left = 0;

  constructor(bytes: Uint8Array, start = 0) {
    this.#bytes = bytes;
    this.#at = start;
  }

  bit(): number {
    if (this.#left === 0) this.#nextByte();
    this.#left -= 1;
    return (this.#current >> this.#left) & 1;
  }

  flag(): boolean {
    return this.bit() === 1;
  }

  /** u(n), at most 32 bits. */
  bits(count: number): number {
    let value = 0;
    for (let index = 0; index < count; index++) value = value * 2 + this.bit();
    return value;
  }

  /** ue(v), section 9.1. Throws PARAMETER_SET beyond `most`. */
  unsigned(most = 0xffff_fffe): number {
    let zeros = 0;
    while (this.bit() === 0) {
      zeros += 1;
      if (zeros >= MAX_LEADING_ZEROS) throw new MediaError('PARAMETER_SET', 'code of more than 32 bits');
    }
    const value = 2 ** zeros - 1 + this.bits(zeros);
    if (value > most) throw new MediaError('PARAMETER_SET', `${value} where ${most} is the most`);
    return value;
  }

  /** se(v), section 9.1.1. */
  signed(): number {
    const code = this.unsigned();
    return code % 2 === 1 ? (code + 1) / 2 : -code / 2;
  }

  #nextByte(): void {
    if (this.#zeros >= 2 && this.#bytes[this.#at] === 3) {
      this.#at += 1;
      this.#zeros = 0;
    }
    const byte = this.#bytes[this.#at];
    if (byte === undefined) throw new MediaError('PARAMETER_SET', 'NAL unit ends early');
    this.#at += 1;
    this.#zeros = byte === 0 ? this.#zeros + 1 : 0;
    this.#current = byte;
    this.#left = 8;
  }
}
