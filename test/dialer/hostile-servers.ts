import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { AddressInfo, Socket } from 'node:net';
import { createServer, type TLSSocket, type TlsOptions } from 'node:tls';
import { deviceKeyFromPem } from '../../agent/state/device-key.ts';
import { toBase64Url } from '../../crypto/bytes.ts';
import { type Ed25519Pair, ed25519FromSeed } from '../../crypto/curves.ts';
import { pinBytes } from '../../crypto/pin.ts';
import { signPinStatement, writePinsLine } from '../../crypto/pin-statement.ts';
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
  /** Of the camera's set-up. */
  readonly pins: readonly string[];
  /** Pin statements that it hears before it dials, as lines. */
  readonly statements: readonly string[];
}

export interface HostileServers {
  readonly tricks: readonly Trick[];
  /** What a camera shows of itself. */
  readonly client: Certificate;
  /** Whose pin statements it obeys: an Ed25519 key in base64url. */
  readonly owner: string;
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
  const ours = (options: TlsOptions) => start(good, chainOf(good, root), options);

  const ticketKeys = randomBytes(48);
  const strange = server(impostor);
  const pins = [root, backup].map(pinOf);
  const trick = (name: string, ...ports: number[]): Trick => ({ name, ports, pins, statements: [] });

  const client = certificate({ name: 'camera', extensions: CLIENT_EXTENSIONS }, authority('Cameras'));
  const { cameraId } = await deviceKeyFromPem(client.key);
  const owner = ed25519FromSeed(new Uint8Array(randomBytes(32)));
  const lost = authority('Lost');
  const next = authority('Next');
  const [honest, former, stolen] = [
    await issued(server(next), next),
    await issued(good, root),
    await issued(server(lost), lost),
  ];
  /** The owner's line that has a camera believe a CA, the backup after it. */
  const stated = (counter: number, ca: Certificate, port: number, change: StatementChange = {}) => {
    const { camera = cameraId, by = owner } = change;
    const [activePin, backupPin] = [ca, backup].map((of) => pinBytes(pinOf(of))!);
    const origin = `https://127.0.0.1:${port}`;
    const statement = { camera, epoch: 1, counter, origin, activePin: activePin!, backupPin: backupPin! };
    return writePinsLine(signPinStatement(statement, by));
  };
  const told = (name: string, port: number, ...statements: string[]): Trick => ({
    ...trick(name, port),
    statements,
  });
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
    trick('TLS 1.2', await ours({ maxVersion: 'TLSv1.2' })),
    trick(
      'resumed session, by who stole the server’s ticket key',
      await ours({ ticketKeys }),
      await start(strange, chainOf(strange, impostor), { ticketKeys }),
    ),
    trick('wrong ALPN', await ours({ ALPNProtocols: ['mqtt'] })),
    trick('no ALPN', await ours({ ALPNProtocols: undefined })),
    trick('pinned CA replaced by the backup', await issued(server(backup), backup)),
    told('pin rotated by a signed statement', honest, stated(1, next, honest)),
    told('the CA that such a statement took back', former, stated(1, next, former)),
    told('statement replayed', stolen, stated(2, root, stolen), stated(1, lost, stolen)),
    told('another statement of the same number', stolen, stated(1, root, stolen), stated(1, lost, stolen)),
    told(
      'statement signed by another',
      stolen,
      stated(1, lost, stolen, { by: ed25519FromSeed(new Uint8Array(randomBytes(32))) }),
    ),
    told(
      'statement for another camera',
      stolen,
      stated(1, lost, stolen, { camera: new Uint8Array(randomBytes(20)) }),
    ),
  ];
  return {
    tricks,
    client,
    owner: toBase64Url(owner.publicKey),
    store: chainOf(publicCa, root),
    received: (port) => bytes.get(port) ?? 0,
    close() {
      for (const close of closers) close();
    },
  };
}

interface StatementChange {
  readonly camera?: Uint8Array;
  readonly by?: Ed25519Pair;
}

const pinOf = (ca: Certificate) => spkiPin(der(ca));

function withExtension(name: string, value: string) {
  return { extensions: [...SERVER_EXTENSIONS.filter((line) => !line.startsWith(name)), `${name}=${value}`] };
}

/** A server certificate that names its issuer but not its issuer's key. */
function unidentified(issuer: Certificate, dates: { from?: string; to?: string } = {}): Certificate {
  const extensions = [...SERVER_EXTENSIONS, 'authorityKeyIdentifier=none'];
  return server(issuer, { extensions, ...dates });
}
