import type { ConnectionLimits } from './connections.ts';

/** Bounds on what somebody without a certificate, or a camera, can take up. */
export interface TlsServerLimits extends ConnectionLimits {
  readonly connections: number;
  readonly handshakeMs: number;
  /** The whole life of a connection without a certificate. */
  readonly anonymousMs: number;
  /** From the handshake to the end of the first request's head. */
  readonly firstHeadMs: number;
  /** From an answer's end to the end of the next request's head. */
  readonly nextHeadMs: number;
  /** How long a peer may leave unread what it was sent. */
  readonly unreadMs: number;
}

export const TLS_SERVER_LIMITS: TlsServerLimits = {
  connections: 4096,
  connectionsPerCamera: 8,
  strangerConnections: 512,
  handshakeMs: 10_000,
  anonymousMs: 30_000,
  firstHeadMs: 15_000,
  nextHeadMs: 120_000,
  unreadMs: 300_000,
};
