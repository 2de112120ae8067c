import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../host/clock.ts';
import { systemDisk } from '../../host/disk.ts';
import { initServer } from '../../server/pki/identity.ts';
import { type Running, startServer } from '../../server/server.ts';
import type { RunOptions } from '../../server/server-options.ts';

/** What a server advises that cannot listen where it was told to, done in that state. */

const room = mkdtempSync(join(tmpdir(), 'oriel-address-'));
const quiet = () => undefined;
const log = { debug: quiet, info: quiet, warn: quiet, error: quiet };
const running: Running[] = [];
afterEach(async () => {
  for (const server of running.splice(0)) await server.stop();
});
afterAll(() => rmSync(room, { recursive: true }));

async function start(name: string, options: Partial<RunOptions> = {}): Promise<Running> {
  const server = await startServer({
    ...{ directory: join(room, name), port: 0, address: '127.0.0.1', releaseTimeMs: 0 },
    ...{ disk: systemDisk, clock: systemClock, log, ...options },
  });
  running.push(server);
  return server;
}
const refused = (options: Partial<RunOptions>) =>
  start('second', options).then(
    () => Promise.reject(new Error('it runs')),
    (error: { code: string; message: string }) => error,
  );

beforeAll(async () => {
  for (const name of ['first', 'second']) {
    await initServer(systemDisk, join(room, name), { hosts: ['127.0.0.1'], port: 0, now: new Date() });
  }
});

test.each<['port' | 'metricsPort', string]>([
  ['port', '--port'],
  ['metricsPort', '--metrics'],
])(
  '[REM-ADDRESS_REFUSED] %s that is taken: another, or the same once nobody listens there',
  async (which, option) => {
    const first = await start('first', { metricsPort: 0 });
    const taken = which === 'port' ? first.server.port : first.server.metricsPort;
    expect(await refused({ [which]: taken })).toMatchObject({
      code: 'ADDRESS_REFUSED',
      message: expect.stringContaining(`end what listens there, or choose another port (${option})`),
    });
    await (await start('second', { [which]: 0 })).stop();
    await first.stop();
    expect((await start('second', { [which]: taken })).server[which]).toBe(taken);
  },
);

test('[REM-ADDRESS_REFUSED] an address that is not this machine’s: one that is', async () => {
  // TEST-NET-1 (RFC 5737).
  const { code, message } = await refused({ address: '192.0.2.1' });
  expect([code, message]).toEqual([
    'ADDRESS_REFUSED',
    expect.stringMatching(/one that it has \(--address\)$/),
  ]);
  await start('second', { address: '127.0.0.1' });
});
