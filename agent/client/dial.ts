import { judgeRawChain } from '../../crypto/chain-node.ts';
import { addressOf } from '../../crypto/origin.ts';
import { type DialOptions, dial, type KeyShare } from '../../host/dialer.ts';
import type { ALPN_MQTT } from '../../wire/control.ts';
import { ALPN_HTTP } from '../../wire/upload.ts';
import type { DeviceKey } from '../state/device-key.ts';
import type { Dial } from './connection.ts';
import { learn, NOTHING_LEARNT, shareToOffer, triesClassical, wasAnswered } from './key-share.ts';

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
  /** What its next ClientHello offers (key-share.ts). */
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
