/** Every way media can be refused; closed, so that a policy can switch over it. */
export type MediaErrorCode =
  /** Not a box that belongs here: rubbish. */
  | 'BOX_TYPE'
  /** A known box at the wrong place. */
  | 'BOX_ORDER'
  /** Smaller than its own header or fields, or larger than what surrounds it. */
  | 'BOX_SIZE'
  /** Larger, or more in a row, than the limit. */
  | 'BOX_LIMIT'
  /** Size 0: the box runs to the end of the file, which a stream does not have. */
  | 'BOX_ENDLESS'
  | 'BOX_MISSING'
  | 'BOX_REPEATED'
  /** The stream ended inside a box, between moof and mdat, or before the init segment. */
  | 'TRUNCATED'
  /** A moof not followed by its mdat. */
  | 'MDAT_MISSING'
  /** A tfhd without default-base-is-moof, or with a base data offset. */
  | 'BASE_NOT_MOOF'
  /** A run of more samples than its box holds; more samples or runs than anyone records. */
  | 'SAMPLE_COUNT'
  /** Sample data outside the mdat. */
  | 'SAMPLE_RANGE'
  /** Not exactly one sample entry, or one without a readable codec configuration. */
  | 'SAMPLE_ENTRY'
  /** A parameter set of H.264 that ends early, or says what no video is. */
  | 'PARAMETER_SET'
  /** A track id that is zero, repeated or unknown. */
  | 'TRACK_ID'
  /** Not exactly one video track. */
  | 'TRACK_VIDEO'
  | 'TIMESCALE_ZERO'
  /** A time beyond 2^53 ticks, or one that its field cannot hold. */
  | 'TIME_RANGE';

/** Media that is refused. */
export class MediaError extends Error {
  override readonly name = 'MediaError';
  readonly code: MediaErrorCode;

  constructor(code: MediaErrorCode, message: string, cause?: unknown) {
    super(message, { cause });
    this.code = code;
  }
}
