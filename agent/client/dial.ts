import { judgeRawChain } from '../../crypto/chain-node.ts';
import { addressOf } from '../../crypto/origin.ts';
import { type DialOptions, dial, type KeyShare, Unanswered } from '../../host/dialer.ts';
import { HostError } from '../../host/errors.ts';
import type { ALPN_MQTT } from '../../wire/control.ts';
import { ALPN_HTTP } from '../../wire/upload.ts';
import type { DeviceKey } from '../state/device-key.ts';
import type { Dial } from './connection.ts';

/**
 * Which key share this camera's ClientHello offers. Some middleboxes reset or drop a ClientHello of more than one TCP
 * segment, which the post-quantum hybrid needs. A handshake that nobody answers is therefore tried once more with
 * X25519 alone; if that is answered, it stays so for some hours, and then the hybrid is tried again.
 *
 * Who can reset connections can thus take the hybrid out of a session. The fragments inside are sealed before
 * (docs/design/threat-model.md), and the camera says which share it uses.
 */

/** How long the classical share stays in use before the hybrid is tried again. */
export const CLASSICAL_MS = 6 * 60 * 60_000;
/** After a peer that answered neither, which is then no matter of the key share. */
export const RETRY_PAUSE_MS = 60_000;

/** What was learnt so far. Times are monotonic milliseconds. */
interface KeyShareMemory {
  /** Offer the classical share until then. */
  readonly classicalUntil: number;
  /** Do not try the classical share before then. */
  readonly noRetryBefore: number;
}

export const NOTHING_LEARNT: KeyShareMemory = {
  classicalUntil: Number.NEGATIVE_INFINITY,
  noRetryBefore: Number.NEGATIVE_INFINITY,
};

export function shareToOffer(memory: KeyShareMemory, now: number): KeyShare {
  return now < memory.classicalUntil ? 'classical' : 'hybrid';
}

/** Whether a handshake that failed is to be tried again at once with the classical share. */
export function triesClassical(
  memory: KeyShareMemory,
  { offered, error, now }: { readonly offered: KeyShare; readonly error: unknown; readonly now: number },
): boolean {
  return offered === 'hybrid' && error instanceof Unanswered && now >= memory.noRetryBefore;
}

/** Whether a dialling that failed got at least one byte from the peer. */
export function wasAnswered(error: unknown): boolean {
  if (!(error instanceof HostError) || error instanceof Unanswered) return false;
  return error.code === 'DIAL_REFUSED' || error.code === 'DIAL_TLS' || error.code === 'DIAL_TIMEOUT';
}

/** What the outcome of that second try teaches. */
export function learn(memory: KeyShareMemory, answered: boolean, now: number): KeyShareMemory {
  return answered
    ? { ...memory, classicalUntil: now + CLASSICAL_MS }
    : { ...memory, noRetryBefore: now + RETRY_PAUSE_MS };
}

export interface ServerDialOptions {
  /** Looked at with each dialling, since it may change. */
  readonly server: { readonly origin: string; readonly pins: readonly string[] };
  readonly device: DeviceKey;
  /** The newest time known to be past, milliseconds since 1970; the machine's clock has no say in it. */
  readonly trustedTimeMs: () => number;
  /** Told of each dialling that met nobody, whom a packet filter may have kept from it. */
  readonly onUnreachable?: () => void;
  /** Told when the camera goes over to the classical key share, since a larger ClientHello is not answered. */
  readonly onClassical?: () => void;
  /** Milliseconds that never go back. */
  readonly monotonic?: () => number;
}

/** How this camera reaches its one pinned server, whichever that is at the time. */
export interface ServerDial {
  /** What the Host field says. */
  readonly authority: string;
  /** What its next ClientHello offers (dial.ts). */
  readonly keyShare: KeyShare;
  /**
   * Dials it.
   * @param certificate gives the client certificate to show, PEM, at each dialling; undefined shows none.
   * @param alpn what is to be spoken: HTTP unless said otherwise.
   */
  dialWith(certificate: () => string | undefined, alpn?: typeof ALPN_HTTP | typeof ALPN_MQTT): Dial;
}

const DIAL_TIMEOUT_MS = 10_000;

const MET_NOBODY = new Set<unknown>(['DIAL_RESOLVE', 'DIAL_CONNECT', 'DIAL_TIMEOUT']);

export function serverDial(options: ServerDialOptions): ServerDial {
  const { server, device, trustedTimeMs, onUnreachable, monotonic = () => performance.now() } = options;
  let memory = NOTHING_LEARNT;

  /** Dials, and once more with a smaller ClientHello when nobody answers the first. */
  const dialTwice = async (wanted: DialOptions) => {
    const offered = shareToOffer(memory, monotonic());
    try {
      return await dial({ ...wanted, keyShare: offered });
    } catch (error) {
      if (!triesClassical(memory, { offered, error, now: monotonic() })) throw error;
    }
    const finish = (answered: boolean) => {
      memory = learn(memory, answered, monotonic());
      if (answered) options.onClassical?.();
    };
    try {
      const socket = await dial({ ...wanted, keyShare: 'classical' });
      finish(true);
      return socket;
    } catch (error) {
      finish(wasAnswered(error));
      throw error;
    }
  };

  return {
    get authority() {
      return new URL(server.origin).host;
    },
    get keyShare() {
      return shareToOffer(memory, monotonic());
    },
    dialWith:
      (certificate, alpn = ALPN_HTTP) =>
      async (signal) => {
        const cert = certificate();
        const { host, port } = addressOf(server.origin);
        const dialled = dialTwice({
          host,
          port,
          servername: host,
          ...(cert !== undefined && { key: device.pem, cert }),
          alpn,
          timeoutMs: DIAL_TIMEOUT_MS,
          signal,
          judge: (chain) =>
            judgeRawChain(chain, {
              host,
              pins: server.pins,
              trustedTimeMs: trustedTimeMs(),
              usage: 'serverAuth',
            }),
        });
        return dialled.catch((error) => {
          if (MET_NOBODY.has(error?.code)) onUnreachable?.();
          throw error;
        });
      },
  };
}
