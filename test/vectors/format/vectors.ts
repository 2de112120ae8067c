import type { CryptoErrorCode } from '../../../crypto/errors.ts';
import type { SegmentVerdict } from '../../../crypto/opener.ts';

/** The file v1.json: what an opener has to make of these bytes. Byte strings are base64url without padding. */
export interface FormatVectors {
  readonly about: string;
  /** A viewing key file's JSON (docs/reference/format.md, "Viewing key"); it trusts the camera. */
  readonly viewingKey: unknown;
  /** Camera id as text. */
  readonly camera: string;
  readonly sessions: readonly AcceptedSession[];
  readonly segments: readonly AcceptedSegment[];
  readonly refusedSessions: readonly RefusedSession[];
  readonly refusedSegments: readonly RefusedSegment[];
  /** Two segments of one session: each opens, but the second does not follow the first. */
  readonly refusedChains: readonly RefusedChain[];
}

export interface AcceptedSession {
  readonly name: string;
  readonly bytes: string;
  readonly id: string;
  readonly number: number;
  readonly timeMs: number;
  readonly dayKey: number;
  readonly hash: string;
  readonly secret: string;
}

export interface AcceptedSegment {
  readonly name: string;
  /** Name of its session. */
  readonly session: string;
  readonly bytes: string;
  readonly sequence: number;
  readonly timeMs: number;
  /** Segment key and nonce prefix, to look at on the way. */
  readonly key: string;
  readonly noncePrefix: string;
  readonly verdict: SegmentVerdict;
  readonly opening?: {
    readonly run: string;
    readonly timescale: number;
    readonly decodeTime: number;
    readonly codecs: string;
    readonly init: string;
  };
  readonly fragments: readonly { readonly bytes: string; readonly durationUs: number }[];
  /** The running digest after its last record. */
  readonly digest: string;
  readonly closing?: { readonly previousDigest: string; readonly final: boolean };
  readonly mark?: {
    readonly kind: 'cut' | 'dropped' | 'unknown';
    readonly placed: boolean;
    readonly vouchedRecords: number;
    readonly lostUs: number;
    readonly timeMs: number;
  };
}

interface Refused {
  readonly name: string;
  readonly code: CryptoErrorCode;
}

export interface RefusedSession extends Refused {
  readonly bytes: string;
}

export interface RefusedSegment extends Refused {
  readonly session: string;
  readonly bytes: string;
}

export interface RefusedChain extends Refused {
  readonly session: string;
  readonly before: string;
  readonly bytes: string;
}
