import { createPrivateKey, X509Certificate } from 'node:crypto';
import { fromPem } from '../../crypto/certificate-node.ts';
import { spkiPin } from '../../crypto/spki-node.ts';
import { loadConfiguration } from '../../server/configuration.ts';
import { loadGateIdentity } from '../../server/gate-identity.ts';
import { initServer } from '../../server/identity.ts';
import { type Crash, CrashDisk, type CrashState } from '../faults/crash-disk.ts';

const now = new Date('2026-11-21T12:00:00Z');
const later = (years: number) => new Date(now.getTime() + years * 365 * 86_400_000);
const options = { hosts: ['localhost'], port: 8443, now };

/** The pin of the CA that a PEM chain ends with. */
function pinOfChain(chain: string): string {
  const authority = chain.slice(chain.lastIndexOf('-----BEGIN'));
  return spkiPin(fromPem('CERTIFICATE', authority));
}

test.each([
  [0, false],
  [3.9, false],
  [4.1, true],
  [6, true],
])('a server certificate of %d years is renewed at the start: %s; the pin stays', async (years, renewed) => {
  const disk = new CrashDisk();
  const configuration = await initServer(disk, '/house', options);
  const before = await loadGateIdentity(disk, '/house', configuration, now);
  const after = await loadGateIdentity(disk, '/house', configuration, later(years));
  expect(after.chain !== before.chain).toBe(renewed);
  expect(pinOfChain(after.chain)).toBe(configuration.pin);
  const left = new X509Certificate(after.chain).validToDate.getTime() - later(years).getTime();
  expect(left).toBeGreaterThan(364 * 86_400_000);
  expect((await loadGateIdentity(disk, '/house', configuration, later(years))).chain).toBe(after.chain);
});

test('a renewal that a crash cut off anywhere is made good at the next start', async () => {
  const states: CrashState[] = [];
  const disk = new CrashDisk({ onCall: (call) => states.push(...call.states) });
  const configuration = await initServer(disk, '/house', options);
  states.length = 0;
  await loadGateIdentity(disk, '/house', configuration, later(6));
  expect(states.length).toBeGreaterThan(6);
  for (const state of states) {
    for (const crash of ['killed', 'power cut', 1, 2, 3, 4] satisfies Crash[]) {
      const identity = await loadGateIdentity(state.reboot(crash), '/house', configuration, later(6));
      expect(new X509Certificate(identity.chain).checkPrivateKey(createPrivateKey(identity.key))).toBe(true);
    }
  }
});

test('an init that was cut off leaves no server that would start', async () => {
  const states: CrashState[] = [];
  const disk = new CrashDisk({ onCall: (call) => states.push(...call.states) });
  await initServer(disk, '/house', options);
  for (const state of states) {
    await expect(loadConfiguration(state.reboot('power cut'), '/house')).rejects.toMatchObject({
      code: 'DIRECTORY_MALFORMED',
    });
  }
});

test.each([['{}'], ['not JSON'], ['{"version":2}'], ['[]']])('server.json %s is refused', async (text) => {
  const disk = new CrashDisk();
  disk.place('/house');
  disk.place('/house/server.json', Buffer.from(text));
  await expect(loadConfiguration(disk, '/house')).rejects.toMatchObject({ code: 'DIRECTORY_MALFORMED' });
});
