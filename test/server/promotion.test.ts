import { createPrivateKey, X509Certificate } from 'node:crypto';
import { expect, test } from '@jest/globals';
import { fromPem, makeAuthority } from '../../crypto/certificate-node.ts';
import { judgeRawChain } from '../../crypto/chain-node.ts';
import { spkiPin } from '../../crypto/spki-node.ts';
import { type Configuration, loadConfiguration } from '../../server/config.ts';
import { initServer } from '../../server/pki/identity.ts';
import { promoteBackup } from '../../server/pki/promotion.ts';
import { loadTlsIdentity } from '../../server/pki/tls-identity.ts';
import { type Crash, CrashDisk, type CrashState } from '../faults/crash-disk.ts';

const now = new Date('2026-11-21T12:00:00Z');
const testServer = { hosts: ['localhost'], port: 8443, now };
const CRASHES: Crash[] = ['killed', 'power cut', 1, 2, 3, 4];
const promotion = { backupKey: undefined, now };

/** Whether a camera of these pins talks to a server that shows this chain, and the server has its key. */
async function believed(disk: CrashDisk, configuration: Configuration, pins: readonly string[]) {
  const { chain, key } = await loadTlsIdentity(disk, '/house', configuration, now);
  const raw = chain
    .match(/-----BEGIN[\s\S]+?-----END CERTIFICATE-----/g)
    ?.map((each) => fromPem('CERTIFICATE', each));
  expect(new X509Certificate(chain).checkPrivateKey(createPrivateKey(key))).toBe(true);
  const terms = { host: 'localhost', trustedTimeMs: now.getTime(), usage: 'serverAuth' as const };
  return judgeRawChain(raw ?? [], { ...terms, pins }).verdict === 'accepted';
}

const text = async (disk: CrashDisk, name: string) => {
  const file = await disk.open(`/house/identity/${name}`, 'read');
  return file && Buffer.from(await file.read(10_000, 0)).toString();
};

test('the backup signs, a fresh one stands behind it, and cameras of the old pins go on [TM-21] [KEY-24 rotated] [KEY-25 rotated]', async () => {
  const disk = new CrashDisk();
  const before = await initServer(disk, '/house', testServer);
  const backupKey = await text(disk, 'backup-ca.key');
  const after = await promoteBackup(disk, '/house', before, promotion);
  expect(after).toMatchObject({ hosts: before.hosts, port: before.port, pin: before.backupPin });
  expect(new Set([before.pin, before.backupPin, after.backupPin]).size).toBe(3);
  expect(await loadConfiguration(disk, '/house')).toEqual(after);
  expect(await text(disk, 'server-ca.key')).toBe(backupKey);
  expect(spkiPin(fromPem('CERTIFICATE', (await text(disk, 'backup-ca.pem')) ?? ''))).toBe(after.backupPin);
  expect(await text(disk, 'next-ca.key')).toBeUndefined();
  expect(await believed(disk, after, [before.pin, before.backupPin])).toBe(true);
  expect(await believed(disk, after, [before.pin])).toBe(false);

  const third = await promoteBackup(disk, '/house', after, promotion);
  expect(third.pin).toBe(after.backupPin);
  expect(await believed(disk, third, [after.pin, after.backupPin])).toBe(true);
});

test('cut off anywhere it has not happened, or the next start makes it good', async () => {
  const states: CrashState[] = [];
  const disk = new CrashDisk({ onCall: (call) => states.push(...call.states) });
  const before = await initServer(disk, '/house', testServer);
  states.length = 0;
  await promoteBackup(disk, '/house', before, promotion);
  expect(states.length).toBeGreaterThan(30);
  const seen = new Set<string>();
  for (const state of states) {
    for (const crash of CRASHES) {
      const rebooted = state.reboot(crash);
      const found = await loadConfiguration(rebooted, '/house');
      seen.add(found.pin);
      expect([before.pin, before.backupPin]).toContain(found.pin);
      // What stands in server.json is what is shown, and cameras of the old pins believe it.
      expect(await believed(rebooted, found, [found.pin])).toBe(true);
      expect(await believed(rebooted, found, [before.pin, before.backupPin])).toBe(true);
      const again = await promoteBackup(rebooted, '/house', found, promotion);
      expect(again.pin).toBe(found.backupPin);
      expect(await believed(rebooted, again, [found.pin, found.backupPin])).toBe(true);
    }
  }
  expect(seen).toEqual(new Set([before.pin, before.backupPin]));
});

test('without the backup key nothing changes; with its copy it goes on, with another key not [KEY-25 where]', async () => {
  const disk = new CrashDisk();
  const before = await initServer(disk, '/house', testServer);
  const copy = await text(disk, 'backup-ca.key');
  await disk.unlink('/house/identity/backup-ca.key');
  const stranger = makeAuthority('stranger', now, 1).key.export({ type: 'pkcs8', format: 'pem' }) as string;
  for (const backupKey of [undefined, stranger, 'rubbish']) {
    await expect(promoteBackup(disk, '/house', before, { backupKey, now })).rejects.toMatchObject({
      code: 'AUTHORITY_MISSING',
    });
    expect(await loadConfiguration(disk, '/house')).toEqual(before);
    expect(await believed(disk, before, [before.pin])).toBe(true);
  }
  const after = await promoteBackup(disk, '/house', before, { backupKey: copy, now });
  expect(await believed(disk, after, [before.backupPin])).toBe(true);
});

test('a server of which only the backup key is left is made anew with it', async () => {
  const old = new CrashDisk();
  const before = await initServer(old, '/house', testServer);
  const authorityKey = createPrivateKey((await text(old, 'backup-ca.key')) ?? '');
  const disk = new CrashDisk();
  const made = await initServer(disk, '/house', { ...testServer, authorityKey });
  expect(made.pin).toBe(before.backupPin);
  expect(await believed(disk, made, [before.pin, before.backupPin])).toBe(true);
});
