import { chmodSync, copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { oriel, orielDoes } from '../../scripts/demonstration/oriel-command.ts';
import { makeClip } from '../e2e/clips.ts';
import { expectNothingAcknowledgedLost } from '../e2e/footage-accounting.ts';
import { Home } from '../e2e/test-deployment.ts';
import { until } from '../e2e/until.ts';

/**
 * A camera whose directory is not as it has to be says so in a line and does not start, unless its server can give it
 * what it lacks.
 */

const directory = mkdtempSync(join(tmpdir(), 'oriel-clips-'));
const clip = makeClip({ path: join(directory, 'clip.mp4'), seconds: 2 });
afterAll(() => rmSync(directory, { recursive: true }));

const run = (home: Home) => oriel('camera', 'run', home.cameraDirectory);
const signPolicy = (home: Home, key: string, out: string) =>
  orielDoes('keys', 'policy', key, '--camera', home.household.cameraId, '--out', out, '--force');

type Spoil = (home: Home, path: (name: string) => string) => unknown;
const inCameraDirectory = (home: Home) => (name: string) => join(home.cameraDirectory, name);

const FAULTS: [string, string, Spoil][] = [
  ['no configuration', 'CAMERA_MISSING', (_, path) => rmSync(path('camera.json'))],
  [
    'a configuration that is none',
    'CONFIG_MALFORMED',
    (_, path) => writeFileSync(path('camera.json'), '{"version":1}'),
  ],
  ['no device key', 'FILE_UNREADABLE', (_, path) => rmSync(path('device.key'))],
  ['a device key that is none', 'FILE_UNREADABLE', (_, path) => writeFileSync(path('device.key'), 'key')],
  ['a pairing that is none', 'CONFIG_MALFORMED', (_, path) => writeFileSync(path('pairing.json'), '{}')],
  ['a state that is none', 'DOCUMENT_MALFORMED', (_, path) => writeFileSync(path('state.json'), '{')],
];

test.concurrent.each(FAULTS)('%s: refused with %s', (_, code, spoil) =>
  Home.with({ source: `file:${clip}?loop` }, async (home) => {
    await spoil(home, inCameraDirectory(home));
    const { code: exit, stdout, stderr } = await run(home);
    expect({ exit, stdout }).toEqual({ exit: 1, stdout: '' });
    expect(stderr).toMatch(new RegExp(`^oriel: .* \\[${code}\\]\\n$`));
    expect(stderr).toContain(home.cameraDirectory);
  }),
);

const CERTIFICATES: [string, Spoil][] = [
  ['no certificate', (_, path) => rmSync(path('client.pem'))],
  ['a certificate that is none', (_, path) => copyFileSync(path('device.key'), path('client.pem'))],
  [
    'a certificate for another key',
    ({ household }, path) =>
      copyFileSync(join(household.serverDirectory, 'identity', 'server.pem'), path('client.pem')),
  ],
];

test.concurrent.each(CERTIFICATES)(
  '%s: it records all the same, and brings everything once the server has given it another',
  (_, spoil) =>
    Home.with({ source: `file:${clip}?loop` }, async (home) => {
      await spoil(home, inCameraDirectory(home));
      await home.endServer();
      await home.startCamera();
      expect(home.status).toMatchObject({ enrolment: { state: 'unknown' }, acknowledgedSeconds: 0 });
      await home.startServer();
      await until('it is enrolled again', () => home.status.enrolment.state === 'enrolled');
      expect(home.status.enrolment).toMatchObject({ certificates: 1 });
      expect(home.status.enrolment.trouble).toBeUndefined();
      await home.drains();
      expect(await home.endCamera()).toBe(0);
      const { code, report } = await expectNothingAcknowledgedLost(home, [home.status]);
      expect({ code, verdict: report.verdict }).toEqual({ code: 0, verdict: 'complete' });
    }),
);

const POLICIES: [string, string, Spoil][] = [
  ['no policy', '', (_, path) => rmSync(path('policy.json'))],
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
];

test.concurrent.each(POLICIES)(
  '%s: it says so, and waits until the server brings the one of its owner',
  (_, code, spoil) =>
    Home.with({ source: `file:${clip}?loop` }, async (home) => {
      await spoil(home, inCameraDirectory(home));
      await home.endServer();
      home.launchCamera();
      await home.waits();
      await until('it says so', () => code === '' || home.complaints().length > 0);
      expect(home.status.capturedSeconds).toBe(0);
      expect(home.complaints().map((complaint) => complaint.code)).toEqual(code === '' ? [] : [code]);
      if (code !== '') await until('its status shows it', () => home.status.policy.trouble?.code === code);
      await home.startServer();
      await home.records();
      expect(home.status.policy).toMatchObject({ epoch: 1, counter: 1 });
      expect(await home.endCamera()).toBe(0);
    }),
);

test.concurrent('a policy older than the one obeyed last: it says so once, and waits for the other', () =>
  Home.with({ source: `file:${clip}?loop` }, async (home) => {
    const policy = join(home.cameraDirectory, 'policy.json');
    const old = readFileSync(policy);
    await signPolicy(home, home.household.key, policy);
    const newer = readFileSync(policy);
    await home.startCamera();
    expect(home.status.policy).toMatchObject({ epoch: 1, counter: 2 });
    expect(await home.endCamera()).toBe(0);

    writeFileSync(policy, old);
    home.launchCamera();
    await home.waits();
    // The server still has the older one too.
    await until('the server was asked', () => home.status.policy.trouble?.code === 'POLICY_REFUSED');
    expect(home.complaints()).toEqual([
      expect.objectContaining({ code: 'POLICY_REFUSED', reason: expect.stringContaining(policy) }),
    ]);
    expect(home.complaints()[0]?.reason).toContain('oriel keys policy');
    writeFileSync(policy, newer);
    await home.records();
    expect(await home.endCamera()).toBe(0);
  }));

test.concurrent('a device key that others can read is warned of', () =>
  Home.with({ source: `file:${clip}` }, async (home) => {
    const key = join(home.cameraDirectory, 'device.key');
    chmodSync(key, 0o644);
    const { code, stderr } = await run(home);
    expect(code).toBe(0);
    expect(stderr).toContain(`chmod 600 ${key}`);
  }));

test.concurrent('two on one directory: the second is refused, the first records on', () =>
  Home.with({ source: `file:${clip}?loop` }, async (home) => {
    await home.startCamera();
    const before = home.status;
    const { code, stderr } = await run(home);
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /^oriel: the camera in \S+ is running already; end it first \[CAMERA_RUNNING\]\n$/,
    );
    const after = await home.captures(2);
    expect(after).toMatchObject({ pid: before.pid, session: before.session });
    expect(await home.endCamera()).toBe(0);
    expect((await expectNothingAcknowledgedLost(home, [home.status])).code).toBe(0);
  }));

test.concurrent('a camera that was killed is not called running, and starts again', () =>
  Home.with({ source: `file:${clip}?loop` }, async (home) => {
    await home.startCamera();
    await home.killCamera();
    const shown = () => oriel('camera', 'status', home.cameraDirectory);
    await until('it is called killed', async () => /its agent was killed/.test((await shown()).stdout));
    await home.startCamera();
    expect(await shown()).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^● \w+ {2}recording, /),
    });
  }));
