import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { AddressInfo, Socket } from 'node:net';
import { createServer, type TLSSocket, type TlsOptions } from 'node:tls';
import { spkiPin } from '../../crypto/spki-node.ts';
import {
  authority,
  CA_EXTENSIONS,
  type Certificate,
  CLIENT_EXTENSIONS,
  certificate,
  chainOf,
  der,
  SERVER_EXTENSIONS,
  server,
} from './certificates.ts';

/** When the camera's build was released: what its trusted time begins with. */
export const RELEASE = Date.UTC(2026, 5, 1);

/** A trick of a hostile network, played by real TLS servers. */
export interface Trick {
  readonly name: string;
  /** Dialled one after the other; what becomes of the last counts. */
  readonly ports: readonly number[];
  readonly pins: readonly string[];
}

export interface HostileServers {
  readonly tricks: readonly Trick[];
  /** What a camera shows of itself. */
  readonly client: Certificate;
  /** CAs of the machine's own store, the pinned one among them: what Node by itself would believe. */
  readonly store: string;
  /** Application bytes that have reached the port. */
  received(port: number): number;
  close(): void;
}

const EXPIRED = { from: '20250101000000Z', to: '20260501000000Z' };
const ENDED_SINCE = { from: '20250101000000Z', to: '20260701000000Z' };
const NOT_YET = { from: '20900101000000Z', to: '20910101000000Z' };

/** Starts a server for every trick there is. */
export async function openHostileServers(): Promise<HostileServers> {
  const root = authority('Root');
  const backup = authority('Backup');
  const publicCa = authority('Public');
  const impostor = authority('Root', { extensions: CA_EXTENSIONS });
  const good = server(root);
  const bytes = new Map<number, number>();
  const closers: (() => void)[] = [];

  const start = async (own: Certificate, chain: string, options: TlsOptions = {}) => {
    const listener = createServer({ key: own.key, cert: chain, ALPNProtocols: ['http/1.1'], ...options });
    const sockets = new Set<Socket>();
    listener.on('connection', (socket: Socket) => sockets.add(socket));
    listener.on('tlsClientError', (_error, socket) => socket.destroy());
    listener.on('secureConnection', (socket: TLSSocket) => {
      socket.on('error', () => socket.destroy());
      socket.on('data', (data) => {
        bytes.set(port, (bytes.get(port) ?? 0) + data.length);
        socket.write('seen');
      });
    });
    await once(listener.listen(0, '127.0.0.1'), 'listening');
    const { port } = listener.address() as AddressInfo;
    closers.push(() => {
      listener.close();
      for (const socket of sockets) socket.destroy();
    });
    return port;
  };
  const issued = (own: Certificate, ...above: Certificate[]) => start(own, chainOf(own, ...above));
  const old = (options: TlsOptions) => start(good, chainOf(good, root), options);

  const ticketKeys = randomBytes(48);
  const strange = server(impostor);
  const pins = [spkiPin(der(root)), spkiPin(der(backup))];
  const trick = (name: string, ...ports: number[]): Trick => ({ name, ports, pins });
  const tricks = [
    trick('none: an honest server', await issued(good, root)),
    trick('expired before the build was made', await issued(server(root, EXPIRED), root)),
    trick('ended since the build was made', await issued(server(root, ENDED_SINCE), root)),
    trick('not yet valid', await issued(server(root, NOT_YET), root)),
    trick('wrong host', await issued(server(root, withExtension('subjectAltName', 'IP:127.0.0.2')), root)),
    trick(
      'wrong key usage',
      await issued(server(root, withExtension('extendedKeyUsage', 'clientAuth')), root),
    ),
    trick('unknown CA of the same name', await issued(strange, impostor)),
    trick('CA in the machine’s store', await issued(server(publicCa), publicCa)),
    trick('forged signature, pinned CA appended', await issued(unidentified(impostor), root)),
    trick('the same, expired', await issued(unidentified(impostor, EXPIRED), root)),
    trick('another CA’s certificate, pinned CA appended', await issued(server(publicCa), root)),
    trick('TLS 1.2', await old({ maxVersion: 'TLSv1.2' })),
    trick(
      'resumed session, by who stole the server’s ticket key',
      await old({ ticketKeys }),
      await start(strange, chainOf(strange, impostor), { ticketKeys }),
    ),
    trick('wrong ALPN', await old({ ALPNProtocols: ['mqtt'] })),
    trick('no ALPN', await old({ ALPNProtocols: undefined })),
    trick('pinned CA replaced by the backup', await issued(server(backup), backup)),
  ];
  return {
    tricks,
    client: certificate({ name: 'camera', extensions: CLIENT_EXTENSIONS }, authority('Cameras')),
    store: chainOf(publicCa, root),
    received: (port) => bytes.get(port) ?? 0,
    close() {
      for (const close of closers) close();
    },
  };
}

function withExtension(name: string, value: string) {
  return { extensions: [...SERVER_EXTENSIONS.filter((line) => !line.startsWith(name)), `${name}=${value}`] };
}

/** A server certificate that names its issuer but not its issuer's key. */
function unidentified(issuer: Certificate, dates: { from?: string; to?: string } = {}): Certificate {
  const extensions = [...SERVER_EXTENSIONS, 'authorityKeyIdentifier=none'];
  return server(issuer, { extensions, ...dates });
}
