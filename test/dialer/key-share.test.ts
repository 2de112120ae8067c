import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import {
  CLASSICAL_MS,
  learn,
  NOTHING_LEARNT,
  RETRY_PAUSE_MS,
  serverDial,
  shareToOffer,
  triesClassical,
  wasAnswered,
} from '../../agent/client/dial.ts';
import { spkiPin } from '../../crypto/spki-node.ts';
import { DialRefusal, dial, Unanswered } from '../../host/dialer.ts';
import { HostError } from '../../host/errors.ts';
import { authority, chainOf, der, server } from './certificates.ts';

/** A camera behind a middlebox that lets no ClientHello of more than one TCP segment through. */

const root = authority('Root');
const own = server(root);
const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

async function opened(listener: Server): Promise<number> {
  const sockets = new Set<Socket>();
  listener.on('connection', (socket: Socket) => sockets.add(socket));
  closers.push(() => {
    listener.close();
    for (const socket of sockets) socket.destroy();
  });
  await once(listener.listen(0, '127.0.0.1'), 'listening');
  return (listener.address() as AddressInfo).port;
}

/** Its end of the line: a TLS server that knows the hybrid. */
function tlsPeer(): Promise<number> {
  const options = { key: own.key, cert: chainOf(own, root), ALPNProtocols: ['http/1.1'] };
  const listener = createTlsServer(options, (socket) => socket.on('error', () => socket.destroy()));
  return opened(listener.on('tlsClientError', (_error, socket) => socket.destroy()));
}

/** A ClientHello with ML-KEM's share has 1,216 bytes more than this and some; one without it stays far below. */
const ONE_SEGMENT = 1200;

/** Passes on to `port` what begins with a small packet, and gives the rest to `refuse`. */
async function middlebox(port: number, refuse: (socket: Socket) => void) {
  const sizes: number[] = [];
  const listener = createServer((near) => {
    near.on('error', () => near.destroy());
    near.once('data', (hello) => {
      sizes.push(hello.length);
      if (hello.length > ONE_SEGMENT) return refuse(near);
      const far = connect(port, '127.0.0.1', () => far.write(hello));
      far.on('error', () => near.destroy());
      near.pipe(far).pipe(near);
    });
  });
  return { port: await opened(listener), sizes };
}

function camera(port: number, told: string[] = []) {
  let now = 0;
  const link = serverDial({
    server: { origin: `https://127.0.0.1:${port}`, pins: [spkiPin(der(root))] },
    device: { pem: '' } as Parameters<typeof serverDial>[0]['device'],
    trustedTimeMs: () => 0,
    onClassical: () => told.push('classical'),
    monotonic: () => now,
  });
  const connectOnce = link.dialWith(() => undefined);
  return {
    link,
    later: (ms: number) => {
      now += ms;
    },
    async groupAgreed(): Promise<string> {
      const socket = (await connectOnce(new AbortController().signal)) as Awaited<ReturnType<typeof dial>>;
      const { name } = socket.getEphemeralKeyInfo() as { name?: string };
      socket.destroy();
      return String(name);
    },
  };
}

test('[FC-10] a middlebox that resets large handshakes: X25519 alone is offered, said, and the hybrid tried again later', async () => {
  const { port, sizes } = await middlebox(await tlsPeer(), (socket) => void socket.resetAndDestroy());
  const told: string[] = [];
  const { link, later, groupAgreed } = camera(port, told);
  expect(link.keyShare).toBe('hybrid');

  expect(await groupAgreed()).toBe('X25519');
  expect(told).toEqual(['classical']);
  expect(link.keyShare).toBe('classical');
  expect(await groupAgreed()).toBe('X25519');
  const large = () => sizes.filter((size) => size > ONE_SEGMENT).length;
  expect([large(), sizes.length]).toEqual([1, 3]);

  later(CLASSICAL_MS);
  expect(link.keyShare).toBe('hybrid');
  expect(await groupAgreed()).toBe('X25519');
  expect(large()).toBe(2);

  // Control: without the second try nothing comes through.
  const judge = () => ({ verdict: 'accepted' }) as const;
  const target = { host: '127.0.0.1', port, servername: 'camera.test', alpn: 'http/1.1', judge };
  await expect(dial({ ...target, timeoutMs: 60_000 })).rejects.toBeInstanceOf(Unanswered);
});

test('[FC-10] a middlebox that drops large handshakes: no answer until the time is over is taken alike', async () => {
  const { port } = await middlebox(await tlsPeer(), (socket) => socket.pause());
  const judge = () => ({ verdict: 'accepted' }) as const;
  const target = { host: '127.0.0.1', port, servername: 'camera.test', alpn: 'http/1.1', judge };
  const dropped = await dial({ ...target, timeoutMs: 300 }).catch((error) => error);
  expect(dropped).toBeInstanceOf(Unanswered);
  expect(dropped.code).toBe('DIAL_TIMEOUT');
  (await dial({ ...target, timeoutMs: 60_000, keyShare: 'classical' })).destroy();
});

test('where the line lets it through, the hybrid is agreed', async () => {
  const { link, groupAgreed } = camera(await tlsPeer());
  expect(await groupAgreed()).toBe('X25519MLKEM768');
  expect(link.keyShare).toBe('hybrid');
});

test('a server that answers no handshake at all is asked twice, then once a dialling for a while', async () => {
  let dialled = 0;
  const listener = createServer((socket) => {
    dialled += 1;
    socket.on('error', () => socket.destroy()).once('data', () => socket.resetAndDestroy());
  });
  const { link, later, groupAgreed } = camera(await opened(listener));
  const counts: number[] = [];
  for (const wait of [0, RETRY_PAUSE_MS - 1, 1]) {
    later(wait);
    await expect(groupAgreed()).rejects.toMatchObject({ code: 'DIAL_TLS' });
    counts.push(dialled);
  }
  expect(counts).toEqual([2, 3, 5]);
  expect(link.keyShare).toBe('hybrid');
});

const silent = new Unanswered('DIAL_TLS', 'reset');
test.each([
  ['nothing learnt, unanswered', NOTHING_LEARNT, 'hybrid', silent, true],
  ['the classical share is unanswered too', NOTHING_LEARNT, 'classical', silent, false],
  ['answered by an alert', NOTHING_LEARNT, 'hybrid', new HostError('DIAL_TLS', 'alert'), false],
  ['a chain that is refused', NOTHING_LEARNT, 'hybrid', new DialRefusal('PIN_MISMATCH', ''), false],
  ['no connection', NOTHING_LEARNT, 'hybrid', new HostError('DIAL_CONNECT', ''), false],
  ['the caller gave up', NOTHING_LEARNT, 'hybrid', new Error('enough'), false],
  ['neither was answered just now', learn(NOTHING_LEARNT, false, 0), 'hybrid', silent, false],
] as const)('a second try: %s', (_case, memory, offered, error, tries) => {
  expect(triesClassical(memory, { offered, error, now: RETRY_PAUSE_MS - 1 })).toBe(tries);
});

test('what was learnt holds for its time', () => {
  const answered = learn(NOTHING_LEARNT, true, 1000);
  expect(shareToOffer(answered, 1000 + CLASSICAL_MS - 1)).toBe('classical');
  expect(shareToOffer(answered, 1000 + CLASSICAL_MS)).toBe('hybrid');
  expect(shareToOffer(learn(NOTHING_LEARNT, false, 1000), 1000)).toBe('hybrid');
});

test.each([
  [silent, false],
  [new Unanswered('DIAL_TIMEOUT', ''), false],
  [new HostError('DIAL_CONNECT', ''), false],
  [new HostError('DIAL_RESOLVE', ''), false],
  [new Error('enough'), false],
  [new HostError('DIAL_TLS', ''), true],
  [new HostError('DIAL_TIMEOUT', ''), true],
  [new DialRefusal('PIN_MISMATCH', ''), true],
])('%# an answer or none', (error, answered) => expect(wasAnswered(error)).toBe(answered));
