import { createPrivateKey, X509Certificate } from 'node:crypto';
import { fromPem } from '../../crypto/certificate-node.ts';
import { judgeRawChain } from '../../crypto/chain-node.ts';
import { addressOf, canonicalOrigin } from '../../crypto/origin.ts';
import { nodePrimitives } from '../../crypto/primitives-node.ts';
import { readSetupCode } from '../../crypto/setup-code.ts';
import { spkiPin } from '../../crypto/spki-node.ts';
import { makeViewingKey } from '../../crypto/viewing-key.ts';
import { HostError } from '../../host/errors.ts';
import { givenOrigin } from '../../owner/given-server.ts';
import { preparePairing } from '../../owner/pairing.ts';
import { loadConfiguration, origins, writeConfiguration } from '../../server/config.ts';
import { initServer } from '../../server/pki/identity.ts';
import { loadTlsIdentity } from '../../server/pki/tls-identity.ts';
import { type Crash, CrashDisk, type CrashState } from '../faults/crash-disk.ts';
import { failingDisk } from '../faults/failing-disk.ts';

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
])(
  'a server certificate of %d years is renewed at the start: %s; the pin stays [KEY-27 rotated]',
  async (years, renewed) => {
    const disk = new CrashDisk();
    const configuration = await initServer(disk, '/house', options);
    const before = await loadTlsIdentity(disk, '/house', configuration, now);
    const after = await loadTlsIdentity(disk, '/house', configuration, later(years));
    expect(after.chain !== before.chain).toBe(renewed);
    expect(pinOfChain(after.chain)).toBe(configuration.pin);
    const left = new X509Certificate(after.chain).validToDate.getTime() - later(years).getTime();
    expect(left).toBeGreaterThan(364 * 86_400_000);
    expect((await loadTlsIdentity(disk, '/house', configuration, later(years))).chain).toBe(after.chain);
  },
);

test('a renewal that a crash cut off anywhere is made good at the next start [KEY-27 destroyed] [KEY-27 rotated]', async () => {
  const states: CrashState[] = [];
  const disk = new CrashDisk({ onCall: (call) => states.push(...call.states) });
  const configuration = await initServer(disk, '/house', options);
  states.length = 0;
  await loadTlsIdentity(disk, '/house', configuration, later(6));
  expect(states.length).toBeGreaterThan(6);
  for (const state of states) {
    for (const crash of ['killed', 'power cut', 1, 2, 3, 4] satisfies Crash[]) {
      const identity = await loadTlsIdentity(state.reboot(crash), '/house', configuration, later(6));
      expect(new X509Certificate(identity.chain).checkPrivateKey(createPrivateKey(identity.key))).toBe(true);
    }
  }
});

test('[FC-11] a renewal for which the disk has no room keeps nobody from serving with a certificate that is good', async () => {
  let room = Number.POSITIVE_INFINITY;
  const disk = failingDisk(new CrashDisk(), (operation) =>
    operation === 'file.write' && room-- <= 0 ? new HostError('DISK_FULL', 'no room') : undefined,
  );
  const configuration = await initServer(disk, '/house', options);
  const before = await loadTlsIdentity(disk, '/house', configuration, now);
  // However many of the writes there is room for.
  for (const writes of [0, 1]) {
    room = writes;
    expect(await loadTlsIdentity(disk, '/house', configuration, later(4.1))).toEqual(before);
  }
  await expect(loadTlsIdentity(disk, '/house', configuration, later(6))).rejects.toMatchObject({
    code: 'DISK_FULL',
  });
});

describe('[FC-12] while the clock is certainly wrong', () => {
  test('a server starts with the certificate it has [TM-25]', async () => {
    const disk = new CrashDisk();
    const configuration = await initServer(disk, '/house', options);
    const before = await loadTlsIdentity(disk, '/house', configuration, now);
    expect((await loadTlsIdentity(disk, '/house', configuration, undefined)).chain).toBe(before.chain);
    // Control: believed, a clock at 2099 has it issue one that lasts until 2104.
    const believed = await loadTlsIdentity(disk, '/house', configuration, new Date('2099-01-01'));
    expect(new X509Certificate(believed.chain).validToDate.getUTCFullYear()).toBe(2104);
  });

  test('it issues none: one that needs another starts once the clock is set', async () => {
    const disk = new CrashDisk();
    const configuration = await initServer(disk, '/house', options);
    const promoted = { ...configuration, pin: configuration.backupPin, backupPin: configuration.pin };
    await expect(loadTlsIdentity(disk, '/house', promoted, undefined)).rejects.toMatchObject({
      code: 'CLOCK_WRONG',
      message: expect.stringContaining('timedatectl'),
    });
    const chain = (await loadTlsIdentity(disk, '/house', configuration, now)).chain;
    expect(pinOfChain(chain)).toBe(configuration.pin);
  });
});

describe('[FC-16] a server has its hosts in one spelling', () => {
  const hosts = ['Home.Example', 'home.example.', '2001:DB8:0:0::1', '[2001:db8::1]', '::ffff:192.0.2.1'];

  test('in server.json, in its certificate, and in what it prints', async () => {
    const disk = new CrashDisk();
    const configuration = await initServer(disk, '/house', { ...options, hosts, port: 443 });
    expect(configuration.hosts).toEqual(['home.example', '2001:db8::1', '192.0.2.1']);
    const { chain } = await loadTlsIdentity(disk, '/house', configuration, now);
    expect(new X509Certificate(chain).subjectAltName).toBe(
      'DNS:home.example, IP Address:2001:DB8:0:0:0:0:0:1, IP Address:192.0.2.1',
    );
    const printed = origins(configuration.hosts, configuration.port);
    expect(printed).toEqual(['https://home.example', 'https://[2001:db8::1]', 'https://192.0.2.1']);
    const der = [...chain.matchAll(/-----BEGIN[\s\S]+?-----END CERTIFICATE-----/g)].map(([each]) =>
      fromPem('CERTIFICATE', each),
    );
    for (const spelled of hosts) {
      const given = `https://${spelled.includes(':') && !spelled.startsWith('[') ? `[${spelled}]` : spelled}:443`;
      const { host } = addressOf(canonicalOrigin(given));
      const terms = {
        host,
        pins: [configuration.pin],
        trustedTimeMs: now.getTime(),
        usage: 'serverAuth' as const,
      };
      expect(judgeRawChain(der, terms)).toEqual({ verdict: 'accepted' });
    }
  });

  test('keys pair and keys pins take what init printed, and any other spelling of it for the same', async () => {
    const key = await makeViewingKey('owner', new Uint8Array(32).fill(1), 1);
    const pins = [`sha256/${Buffer.alloc(32, 7).toString('base64')}`];
    const spellings = ['https://[2001:db8::1]', 'https://[2001:DB8:0::0:1]:443', 'HTTPS://[2001:db8::1]'];
    for (const server of spellings) {
      const wish = { server, pins, lifeSeconds: 60, name: '' };
      const { code } = await preparePairing(key, wish, now.getTime());
      expect((await readSetupCode(code, nodePrimitives)).origin).toBe(spellings[0]);
      expect(givenOrigin(server, 'USAGE')).toBe(spellings[0]);
    }
    await expect(
      preparePairing(key, { server: 'http://home', pins, lifeSeconds: 60, name: '' }, now.getTime()),
    ).rejects.toMatchObject({ code: 'SETUP_CODE_MALFORMED' });
  });

  test('in a server.json that somebody edited', async () => {
    const disk = new CrashDisk();
    const configuration = await initServer(disk, '/house', options);
    await writeConfiguration(disk, '/house', { ...configuration, hosts: ['Home.Example.', '0:0::1'] });
    expect((await loadConfiguration(disk, '/house')).hosts).toEqual(['home.example', '::1']);
    await writeConfiguration(disk, '/house', { ...configuration, hosts: ['a_b'] });
    await expect(loadConfiguration(disk, '/house')).rejects.toMatchObject({
      code: 'DIRECTORY_MALFORMED',
      message: expect.stringContaining('"a_b" is neither DNS name nor IP address'),
    });
  });
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
