import { chmodSync, copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { oriel, orielDoes } from '../../scripts/demonstration/oriel-command.ts';
import { expectNothingAcknowledgedLost } from './account.ts';
import { makeClip } from './clips.ts';
import { Home } from './home.ts';
import { until } from './until.ts';

/** A camera whose directory is not as it has to be says so in a line and does not start. */

const directory = mkdtempSync(join(tmpdir(), 'oriel-clips-'));
const clip = makeClip({ path: join(directory, 'clip.mp4'), seconds: 2 });
afterAll(() => rmSync(directory, { recursive: true }));

const run = (home: Home) => oriel('camera', 'run', home.cameraDirectory);
const signPolicy = (home: Home, key: string, out: string) =>
  orielDoes('keys', 'policy', key, '--camera', home.household.cameraId, '--out', out, '--force');

const FAULTS: [string, string, (home: Home, path: (name: string) => string) => unknown][] = [
  ['no configuration', 'CAMERA_MISSING', (_, path) => rmSync(path('camera.json'))],
  [
    'a configuration that is none',
    'CONFIG_MALFORMED',
    (_, path) => writeFileSync(path('camera.json'), '{"version":1}'),
  ],
  ['no device key', 'FILE_UNREADABLE', (_, path) => rmSync(path('device.key'))],
  ['a device key that is none', 'FILE_UNREADABLE', (_, path) => writeFileSync(path('device.key'), 'key')],
  ['no certificate', 'CERTIFICATE_MISSING', (_, path) => rmSync(path('client.pem'))],
  [
    'a certificate that is none',
    'CERTIFICATE_MISSING',
    (_, path) => copyFileSync(path('request.pem'), path('client.pem')),
  ],
  [
    'a certificate for another key',
    'CERTIFICATE_MISSING',
    ({ household }, path) =>
      copyFileSync(join(household.serverDirectory, 'identity', 'server.pem'), path('client.pem')),
  ],
  ['no policy', 'POLICY_MISSING', (_, path) => rmSync(path('policy.json'))],
  ['a policy that is none', 'DOCUMENT_MALFORMED', (_, path) => writeFileSync(path('policy.json'), '{}')],
  [
    'a policy of another owner',
    'DOCUMENT_FORGED',
    async (home, path) => {
      const key = join(home.directory, 'thief.key');
      await orielDoes('keys', 'new', key);
      await signPolicy(home, key, path('policy.json'));
    },
  ],
  [
    'a policy older than the one obeyed last',
    'POLICY_REFUSED',
    async (home, path) => {
      const old = readFileSync(path('policy.json'));
      await signPolicy(home, home.household.key, path('policy.json'));
      await home.startCamera();
      expect(await home.endCamera()).toBe(0);
      writeFileSync(path('policy.json'), old);
    },
  ],
];

test.concurrent.each(FAULTS)(
  '%s: refused with %s',
  (_, code, spoil) =>
    Home.with({ source: `file:${clip}?loop` }, async (home) => {
      await spoil(home, (name) => join(home.cameraDirectory, name));
      const { code: exit, stdout, stderr } = await run(home);
      expect({ exit, stdout }).toEqual({ exit: 1, stdout: '' });
      expect(stderr).toMatch(new RegExp(`^oriel: .* \\[${code}\\]\\n$`));
      expect(stderr).toContain(home.cameraDirectory);
    }),
  60_000,
);

test.concurrent(
  'a device key that others can read is warned of',
  () =>
    Home.with({ source: `file:${clip}` }, async (home) => {
      const key = join(home.cameraDirectory, 'device.key');
      chmodSync(key, 0o644);
      const { code, stderr } = await run(home);
      expect(code).toBe(0);
      expect(stderr).toContain(`chmod 600 ${key}`);
    }),
  60_000,
);

test.concurrent(
  'two on one directory: the second is refused, the first records on',
  () =>
    Home.with({ source: `file:${clip}?loop` }, async (home) => {
      await home.startCamera();
      const before = home.status;
      const { code, stderr } = await run(home);
      expect(code).toBe(1);
      expect(stderr).toMatch(/^oriel: the camera in \S+ is running already \[CAMERA_RUNNING\]\n$/);
      const after = await home.captures(2);
      expect(after).toMatchObject({ pid: before.pid, session: before.session });
      expect(await home.endCamera()).toBe(0);
      expect((await expectNothingAcknowledgedLost(home, [home.status])).code).toBe(0);
    }),
  60_000,
);

test.concurrent(
  'a camera that was killed is not called running, and starts again',
  () =>
    Home.with({ source: `file:${clip}?loop` }, async (home) => {
      await home.startCamera();
      await home.killCamera();
      const shown = () => orielDoes('camera', 'status', home.cameraDirectory);
      await until('it is called killed', async () => /^camera +\S+ +killed, /.test(await shown()));
      await home.startCamera();
      expect(await shown()).toMatch(/^camera +\S+ +running, /);
    }),
  60_000,
);
