import { judgeRawChain } from '../crypto/chain-node.ts';
import { dial } from '../host/dialer.ts';
import { ALPN_HTTP } from '../wire/upload.ts';
import type { CameraConfig } from './camera/camera-directory.ts';
import type { DeviceKey } from './camera/device-key.ts';
import type { Dial } from './uplink/connection.ts';

export interface ServerDialOptions {
  readonly server: CameraConfig['server'];
  readonly device: DeviceKey;
  /** The newest time known to be past, milliseconds since 1970; the machine's clock has no say in it. */
  readonly trustedTimeMs: () => number;
}

/** How this camera reaches its one pinned server. */
export interface ServerDial {
  /** What the Host field says. */
  readonly authority: string;
  /**
   * Dials it.
   * @param certificate gives the client certificate to show, PEM, at each dialling; undefined shows none.
   */
  dialWith(certificate: () => string | undefined): Dial;
}

const DIAL_TIMEOUT_MS = 10_000;
const HTTPS_PORT = 443;

export function serverDial({ server, device, trustedTimeMs }: ServerDialOptions): ServerDial {
  const url = new URL(server.origin);
  const host = url.hostname.replace(/^\[|\]$/g, '');
  return {
    authority: url.host,
    dialWith: (certificate) => (signal) => {
      const cert = certificate();
      return dial({
        host,
        port: url.port === '' ? HTTPS_PORT : Number(url.port),
        servername: host,
        ...(cert !== undefined && { key: device.pem, cert }),
        alpn: ALPN_HTTP,
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
    },
  };
}
