/** How much of a server's disk a camera may take. Pure. */

export interface FootageQuotaRules {
  /** Bytes of footage of one camera; undefined for no fixed bound. */
  readonly cameraBytes: number | undefined;
  /** Sessions of one camera: each takes a directory, however small it is. */
  readonly cameraSessions: number;
  /**
   * Of the room that footage has or could have, what is kept for cameras below their share: once less is free, a camera
   * that holds more than an equal share is refused.
   */
  readonly reserve: number;
}

/** 200,000 sessions of ten minutes are almost four years. */
export const FOOTAGE_QUOTA: FootageQuotaRules = {
  cameraBytes: undefined,
  cameraSessions: 200_000,
  reserve: 0.2,
};

export interface QuotaView {
  /** Of the camera, and of all that are enrolled. */
  readonly bytes: number;
  readonly allBytes: number;
  readonly sessions: number;
  /** Enrolled, this one included. */
  readonly cameras: number;
  /** On the disk; undefined before it was looked at. */
  readonly freeBytes: number | undefined;
}

export type QuotaVerdict = 'admitted' | 'quota' | 'sessions' | 'share';

export function judgeQuota(view: QuotaView, rules: FootageQuotaRules): QuotaVerdict {
  const { bytes, allBytes, sessions, cameras, freeBytes } = view;
  if (rules.cameraBytes !== undefined && bytes >= rules.cameraBytes) return 'quota';
  if (sessions >= rules.cameraSessions) return 'sessions';
  if (freeBytes === undefined) return 'admitted';
  const room = allBytes + freeBytes;
  const scarce = freeBytes < room * rules.reserve;
  return scarce && bytes > room / Math.max(1, cameras) ? 'share' : 'admitted';
}
