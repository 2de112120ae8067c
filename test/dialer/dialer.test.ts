import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  createServer as createTlsServer,
  type TLSSocket,
  type TlsOptions,
  connect as tlsConnect,
} from 'node:tls';
import { promisify } from 'node:util';
import { judgeRawChain } from '../../crypto/chain-node.ts';
import { spkiPin } from '../../crypto/spki-node.ts';
import { type ChainJudge, type DialOptions, dial } from '../../host/dialer.ts';
import {
  authority,
  type Certificate,
  CLIENT_EXTENSIONS,
  certificate,
  chainOf,
  der,
  SERVER_EXTENSIONS,
  server,
} from './certificates.ts';

const root = authority('Root');
const backup = authority('Backup');
const publicCa = authority('Public');
const impostor = authority('Root');
const clientCa = authority('Cameras');
const client = certificate({ name: 'camera', extensions: CLIENT_EXTENSIONS }, clientCa);
const good = server(root);
const PINS = [root, backup].map((ca) => spkiPin(der(ca)));

const pinned: ChainJudge = (chain) =>
  judgeRawChain(chain, { host: 'camera.test', pins: PINS, trustedTimeMs: Date.now(), usage: 'serverAuth' });
const acceptsAll: ChainJudge = () => ({ verdict: 'accepted' });

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

interface Peer {
  readonly port: number;
  /** Application bytes that arrived. */
  received(): number;
  readonly sessions: boolean[];
}

function opened(listener: Server): number {
  const sockets = new Set<Socket>();
  listener.on('connection', (socket: Socket) => sockets.add(socket));
  closers.push(() => {
    listener.close();
    for (const socket of sockets) socket.destroy();
  });
  return (listener.address() as AddressInfo).port;
}

/** A TLS server that counts every application byte. */
async function peer(own: Certificate, chain: string, options: TlsOptions = {}): Promise<Peer> {
  let received = 0;
  const sessions: boolean[] = [];
  const listener = createTlsServer({ key: own.key, cert: chain, ALPNProtocols: ['http/1.1'], ...options });
  listener.on('secureConnection', (socket: TLSSocket) => {
    sessions.push(socket.isSessionReused());
    socket.on('data', (data) => {
      received += data.length;
      socket.write('seen');
    });
    socket.on('error', () => socket.destroy());
  });
  listener.on('tlsClientError', (_error, socket) => socket.destroy());
  await once(listener.listen(0, '127.0.0.1'), 'listening');
  return { port: opened(listener), received: () => received, sessions };
}

const options = (port: number, change: Partial<DialOptions> = {}): DialOptions => ({
  host: '127.0.0.1',
  port,
  servername: 'camera.test',
  key: client.key,
  cert: client.pem,
  alpn: 'http/1.1',
  judge: pinned,
  timeoutMs: 60_000,
  ...change,
});

/** What becomes of a caller that dials and writes at once. */
async function attempt(port: number, change: Partial<DialOptions> = {}): Promise<string> {
  try {
    const socket = await dial(options(port, change));
    socket.write('secret');
    await once(socket, 'data');
    socket.destroy();
    return 'connected';
  } catch (error) {
    const { code, reason } = error as { code?: string; reason?: string };
    return reason ?? code ?? String(error);
  }
}

describe('a chain that is not the pinned one', () => {
  const without = (text: string) => SERVER_EXTENSIONS.filter((line) => !line.startsWith(text));
  const cases: [string, () => [Certificate, string]][] = [
    ['SIGNATURE_FORGED', () => issued(unidentified(impostor), root)],
    ['ISSUER_WRONG', () => issued(server(publicCa), root)],
    ['ISSUER_WRONG', () => [good, chainOf(good, root, publicCa)]],
    ['PIN_MISMATCH', () => issued(server(impostor), impostor)],
    ['PIN_MISMATCH', () => issued(server(publicCa), publicCa)],
    ['NOT_A_CA', () => issued(good)],
    ['EXPIRED', () => issued(server(root, { from: '20240101000000Z', to: '20240601000000Z' }), root)],
    ['HOST_MISMATCH', () => issued(server(root, { extensions: [...without('subject'), OTHER_NAME] }), root)],
    ['USAGE_WRONG', () => issued(server(root, { extensions: [...without('ext'), CLIENT_ONLY] }), root)],
  ];
  test.each(cases)(
    '%s: no byte reaches the peer; it would, were the judge not asked [TM-02]',
    async (code, make) => {
      const [own, chain] = make();
      const hostile = await peer(own, chain);
      expect(await attempt(hostile.port)).toBe(code);
      expect(hostile.received()).toBe(0);

      expect(await attempt(hostile.port, { judge: acceptsAll })).toBe('connected');
      expect(hostile.received()).toBe('secret'.length);
    },
  );

  test('the judge gets the chain as it was sent, unrelated certificates included', async () => {
    const sent = [server(publicCa), root, backup];
    const hostile = await peer(sent[0]!, chainOf(...sent));
    const seen: Uint8Array[][] = [];
    const judge: ChainJudge = (chain) => {
      seen.push([...chain]);
      return { verdict: 'accepted' };
    };
    await attempt(hostile.port, { judge });
    expect(seen.map((chain) => chain.map((one) => Buffer.from(one).toString('hex')))).toEqual([
      sent.map((one) => Buffer.from(der(one)).toString('hex')),
    ]);
  });

  test('a judge that throws refuses', async () => {
    const hostile = await peer(good, chainOf(good, root));
    const judge = () => {
      throw new Error('broken');
    };
    expect(await attempt(hostile.port, { judge })).toBe('JUDGE_FAILED');
    expect(hostile.received()).toBe(0);
  });
});

describe('a CA that the machine trusts', () => {
  /** Dials in a process whose certificate store holds the public CA, by our dialer or by Node alone. */
  async function inChild(port: number, program: string): Promise<string> {
    const dir = mkdtempSync(join(tmpdir(), 'oriel-dialer-'));
    closers.push(() => rmSync(dir, { recursive: true }));
    writeFileSync(join(dir, 'ca.pem'), publicCa.pem);
    writeFileSync(join(dir, 'key.pem'), client.key);
    writeFileSync(join(dir, 'cert.pem'), client.pem);
    const env = { NODE_EXTRA_CA_CERTS: join(dir, 'ca.pem'), DIR: dir, PORT: String(port), PIN: PINS[0] };
    const args = ['--input-type=module', '--eval', program];
    const { stdout } = await promisify(execFile)(process.execPath, args, { env, cwd: import.meta.dirname });
    return stdout.trim();
  }
  const BY_NODE = `
    import { connect } from 'node:tls';
    const { PORT, DIR } = process.env;
    const socket = connect({ host: '127.0.0.1', port: Number(PORT), servername: 'camera.test',
      ALPNProtocols: ['http/1.1'] });
    socket.once('secureConnect', () => socket.write('secret'));
    socket.once('data', () => { console.log('connected'); socket.destroy(); });
    socket.once('error', (error) => console.log(error.code));`;
  const BY_DIALER = `
    import { readFileSync } from 'node:fs';
    import { dial } from '../../host/dialer.ts';
    import { judgeRawChain } from '../../crypto/chain-node.ts';
    const { PORT, DIR, PIN } = process.env;
    const judge = (chain) => judgeRawChain(chain,
      { host: 'camera.test', pins: [PIN], trustedTimeMs: undefined, usage: 'serverAuth' });
    dial({ host: '127.0.0.1', port: Number(PORT), servername: 'camera.test', alpn: 'http/1.1', timeoutMs: 5000,
      key: readFileSync(DIR + '/key.pem', 'utf8'), cert: readFileSync(DIR + '/cert.pem', 'utf8'), judge })
      .then((socket) => { socket.write('secret'); console.log('connected'); socket.end(); },
            (error) => console.log(error.reason));`;

  test('is refused without the pin; Node alone would talk to it [TM-02]', async () => {
    const own = server(publicCa);
    const hostile = await peer(own, chainOf(own, publicCa));
    expect(await inChild(hostile.port, BY_DIALER)).toBe('PIN_MISMATCH');
    expect(hostile.received()).toBe(0);

    expect(await inChild(hostile.port, BY_NODE)).toBe('connected');
    expect(hostile.received()).toBe('secret'.length);
  });
});

describe('a peer that is not modern', () => {
  test('TLS 1.2 is refused in the handshake [TM-02]', async () => {
    const old = await peer(good, chainOf(good, root), { maxVersion: 'TLSv1.2' });
    expect(await attempt(old.port)).toBe('DIAL_TLS');
    expect(old.received()).toBe(0);
  });

  test('another protocol is refused in the handshake', async () => {
    const other = await peer(good, chainOf(good, root), { ALPNProtocols: ['mqtt'] });
    expect(await attempt(other.port)).toBe('DIAL_TLS');
  });

  test('no protocol is refused', async () => {
    const silent = await peer(good, chainOf(good, root), { ALPNProtocols: undefined });
    expect(await attempt(silent.port)).toBe('ALPN_MISMATCH');
    expect(silent.received()).toBe(0);
  });

  test('an accepted connection is TLS 1.3 with AES-128-GCM and the hybrid group', async () => {
    const { port } = await peer(good, chainOf(good, root), {
      ciphers: 'TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384',
    });
    const socket = await dial(options(port));
    expect(socket.getProtocol()).toBe('TLSv1.3');
    expect(socket.getCipher().name).toBe('TLS_AES_128_GCM_SHA256');
    expect(socket.getEphemeralKeyInfo()).toMatchObject({ name: 'X25519MLKEM768' });
    socket.destroy();
  });
});

describe('resumption', () => {
  test('is never offered, though the peer hands out tickets [TM-02]', async () => {
    const generous = await peer(good, chainOf(good, root));
    expect(await attempt(generous.port)).toBe('connected');
    expect(await attempt(generous.port)).toBe('connected');
    expect(generous.sessions).toEqual([false, false]);

    // The same peer resumes for a client that keeps its session.
    const session = await sessionOf(generous.port);
    const again = tlsConnect({ ...nodeOptions(generous.port), session });
    await once(again, 'secureConnect');
    expect(again.isSessionReused()).toBe(true);
    again.destroy();
  });

  const nodeOptions = (port: number) => ({
    host: '127.0.0.1',
    port,
    servername: 'camera.test',
    rejectUnauthorized: false,
    ALPNProtocols: ['http/1.1'],
  });

  async function sessionOf(port: number): Promise<Buffer> {
    const socket = tlsConnect(nodeOptions(port));
    const [session] = await once(socket, 'session');
    socket.destroy();
    return session;
  }
});

describe('a peer that misbehaves', () => {
  async function raw(onConnection: (socket: Socket) => void): Promise<number> {
    const listener = createServer((socket) => {
      socket.on('error', () => socket.destroy());
      onConnection(socket);
    });
    await once(listener.listen(0, '127.0.0.1'), 'listening');
    return opened(listener);
  }

  test('never finishing the handshake: DIAL_TIMEOUT, and the connection is closed', async () => {
    const closed = Promise.withResolvers<void>();
    const port = await raw((socket) => void socket.resume().on('close', closed.resolve));
    expect(await attempt(port, { timeoutMs: 200 })).toBe('DIAL_TIMEOUT');
    await closed.promise;
  });

  test('speaking something else than TLS: DIAL_TLS', async () => {
    expect(await attempt(await raw((socket) => void socket.write('HTTP/1.1 200 OK\r\n\r\n')))).toBe(
      'DIAL_TLS',
    );
  });

  test('closing in the handshake: DIAL_TLS', async () => {
    expect(await attempt(await raw((socket) => void socket.end()))).toBe('DIAL_TLS');
  });

  test('not listening: DIAL_CONNECT', async () => {
    const port = await raw(() => undefined);
    for (const close of closers.splice(0)) close();
    expect(await attempt(port)).toBe('DIAL_CONNECT');
  });

  test('without an address: DIAL_RESOLVE', async () => {
    expect(await attempt(1, { host: 'nobody.invalid' })).toBe('DIAL_RESOLVE');
  });

  test('a caller that gives up gets its own reason', async () => {
    const port = await raw(() => undefined);
    const controller = new AbortController();
    const dialled = dial(options(port, { signal: controller.signal }));
    controller.abort(new Error('enough'));
    await expect(dialled).rejects.toThrow('enough');
    await expect(dial(options(port, { signal: controller.signal }))).rejects.toThrow('enough');
  });

  test('sending data right away: it waits for the one who gets the socket', async () => {
    const listener = createTlsServer({
      key: good.key,
      cert: chainOf(good, root),
      ALPNProtocols: ['http/1.1'],
    });
    listener.on('secureConnection', (socket) => socket.write('early'));
    await once(listener.listen(0, '127.0.0.1'), 'listening');
    const port = opened(listener);
    const socket = await dial(options(port));
    const [data] = await once(socket, 'data');
    expect(String(data)).toBe('early');
    socket.destroy();
  });

  test('refusing our certificate: the socket comes to its end, the process goes on', async () => {
    const other = authority('Elsewhere');
    const strict = await peer(good, chainOf(good, root), {
      requestCert: true,
      rejectUnauthorized: true,
      ca: other.pem,
    });
    const socket = await dial(options(strict.port));
    await new Promise((resolve) =>
      socket.closed ? resolve(undefined) : socket.resume().once('close', resolve),
    );
    expect(strict.received()).toBe(0);
  });
});

const OTHER_NAME = 'subjectAltName=DNS:other.test';
const CLIENT_ONLY = 'extendedKeyUsage=clientAuth';

function issued(own: Certificate, ...above: Certificate[]): [Certificate, string] {
  return [own, chainOf(own, ...above)];
}

/** A server certificate that names its issuer but not its issuer's key. */
function unidentified(issuer: Certificate): Certificate {
  return server(issuer, { extensions: [...SERVER_EXTENSIONS, 'authorityKeyIdentifier=none'] });
}
