import { type ChildProcess, spawn } from 'node:child_process';
import type { LookupAddress } from 'node:dns';
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import fc from 'fast-check';
import { alternate, connectTcp, MAX_ADDRESSES } from '../../host/tcp.ts';

/** Names with several addresses, some of which do not answer, or answer late. */

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

const LISTEN = `
  const { port, host } = JSON.parse(process.argv[1]);
  const server = require('node:net').createServer((socket) => socket.on('error', () => undefined));
  server.listen({ port, host, backlog: 1 }, () => console.log(server.address().port));`;

/** A listener in a process of its own. */
async function listener(host: string, port = 0): Promise<{ port: number; process: ChildProcess }> {
  const args = ['--eval', LISTEN, JSON.stringify({ host, port })];
  const process_ = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  closers.push(() => process_.kill('SIGKILL'));
  const [line] = await once(process_.stdout, 'data');
  return { port: Number(line), process: process_ };
}

/** Stops a listener and fills its queue: the kernel drops each further SYN, and the client sends it again after 1 s. */
async function silence({ port, process: { pid } }: { port: number; process: ChildProcess }, host: string) {
  process.kill(pid as number, 'SIGSTOP');
  for (let waiting = 0; waiting < 2; waiting++) {
    const socket = connect(port, host).on('error', () => undefined);
    closers.push(() => socket.destroy());
    await once(socket, 'connect');
  }
}

const v4 = (address: string): LookupAddress => ({ address, family: 4 });
const forever = new AbortController().signal;
const dialled = (addresses: readonly string[], port: number, signal = forever): Promise<Socket> =>
  connectTcp({ host: 'camera.test', port, signal, lookup: async () => addresses.map(v4) });

test('[FC-09] an address that takes a second to answer wins over one that never does', async () => {
  const slow = await listener('127.0.0.2');
  const dead = await listener('127.0.0.3', slow.port);
  await silence(slow, '127.0.0.2');
  await silence(dead, '127.0.0.3');

  // Control: what Node does by itself gives the slow address up for the dead one.
  const byNode = connect({
    host: 'camera.test',
    port: slow.port,
    autoSelectFamily: true,
    lookup: (_host, _options, done) => done(null, [v4('127.0.0.2'), v4('127.0.0.3')] as never, 4),
  });
  closers.push(() => byNode.destroy());
  byNode.on('error', () => undefined);
  const [givenUp] = await once(byNode, 'connectionAttemptTimeout');
  expect(givenUp).toBe('127.0.0.2');

  const dialling = dialled(['127.0.0.2', '127.0.0.3'], slow.port);
  slow.process.kill('SIGCONT');
  const socket = await dialling;
  expect(socket.remoteAddress).toBe('127.0.0.2');
  socket.destroy();
});

test('[FC-09] dead addresses first: the one that answers is met', async () => {
  const dead = await listener('127.0.0.2');
  await silence(dead, '127.0.0.2');
  const good = createServer((socket) => void socket.end());
  closers.push(() => good.close());
  await once(good.listen(dead.port, '127.0.0.4'), 'listening');
  // Nobody listens on 127.0.0.5: that attempt ends at once.
  const socket = await dialled(['127.0.0.2', '127.0.0.5', '127.0.0.2', '127.0.0.4'], dead.port);
  expect(socket.remoteAddress).toBe('127.0.0.4');
  socket.destroy();
});

test('nobody listens: DIAL_CONNECT; no address: DIAL_CONNECT; no name: DIAL_RESOLVE', async () => {
  const free = createServer();
  await once(free.listen(0, '127.0.0.6'), 'listening');
  const { port } = free.address() as { port: number };
  free.close();
  await once(free, 'close');
  await expect(dialled(['127.0.0.6', '127.0.0.7'], port)).rejects.toMatchObject({ code: 'DIAL_CONNECT' });
  await expect(dialled([], port)).rejects.toMatchObject({ code: 'DIAL_CONNECT' });
  const nowhere = connectTcp({ host: 'nobody.invalid', port, signal: forever });
  await expect(nowhere).rejects.toMatchObject({ code: 'DIAL_RESOLVE' });
});

test('who gives up gets the reason, while resolving and while connecting', async () => {
  const dead = await listener('127.0.0.2');
  await silence(dead, '127.0.0.2');
  for (const lookup of [async () => [v4('127.0.0.2')], () => new Promise<never>(() => undefined)]) {
    const controller = new AbortController();
    const dialling = connectTcp({ host: 'camera.test', port: dead.port, signal: controller.signal, lookup });
    controller.abort(new Error('enough'));
    await expect(dialling).rejects.toThrow('enough');
  }
  await expect(dialled(['127.0.0.2'], dead.port, AbortSignal.abort(new Error('before')))).rejects.toThrow(
    'before',
  );
});

test('the families take turns, beginning with the preferred one; none is lost', () => {
  const [a, b, c, d] = [
    { address: '::1', family: 6 },
    { address: '::2', family: 6 },
    v4('127.0.0.1'),
    v4('127.0.0.2'),
  ] as const;
  expect(alternate([a, b, c, d])).toEqual([a, c, b, d]);
  expect(alternate([c, a, b])).toEqual([c, a, b]);
  expect(alternate([])).toEqual([]);
  const address = fc.record({ address: fc.ipV4(), family: fc.constantFrom(4, 6) });
  fc.assert(
    fc.property(fc.array(address, { maxLength: 2 * MAX_ADDRESSES }), (all) => {
      const turns = alternate(all);
      expect(turns).toHaveLength(all.length);
      expect(new Set(turns)).toEqual(new Set(all));
    }),
  );
});
