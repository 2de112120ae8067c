import { chmodSync, copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { oriel, orielDoes } from '../../scripts/demonstration/oriel-command.ts';
import { makeClip } from '../e2e/clips.ts';
import { expectNothingAcknowledgedLost } from '../e2e/footage-accounting.ts';
import { TestDeployment } from '../e2e/test-deployment.ts';
import { until } from '../e2e/until.ts';

/**
 * A camera whose directory is not as it has to be says so in a line and does not start, unless its server can give it
 * what it lacks.
 */

const directory = mkdtempSync(join(tmpdir(), 'oriel-clips-'));
const clip = makeClip({ path: join(directory, 'clip.mp4'), seconds: 2 });
afterAll(() => rmSync(directory, { recursive: true }));

const run = (deployment: TestDeployment) => oriel('camera', 'run', deployment.cameraDirectory);
const signPolicy = (deployment: TestDeployment, key: string, out: string) =>
  orielDoes('keys', 'policy', key, '--camera', deployment.parts.cameraId, '--out', out, '--force');

type Spoil = (deployment: TestDeployment, path: (name: string) => string) => unknown;
const inCameraDirectory = (deployment: TestDeployment) => (name: string) =>
  join(deployment.cameraDirectory, name);

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
  TestDeployment.with({ source: `file:${clip}?loop` }, async (deployment) => {
    await spoil(deployment, inCameraDirectory(deployment));
    const { code: exit, stdout, stderr } = await run(deployment);
    expect({ exit, stdout }).toEqual({ exit: 1, stdout: '' });
    expect(stderr).toMatch(new RegExp(`^oriel: .* \\[${code}\\]\\n$`));
    expect(stderr).toContain(deployment.cameraDirectory);
  }),
);

const CERTIFICATES: [string, Spoil][] = [
  ['no certificate', (_, path) => rmSync(path('client.pem'))],
  ['a certificate that is none', (_, path) => copyFileSync(path('device.key'), path('client.pem'))],
  [
    'a certificate for another key',
    ({ parts }, path) =>
      copyFileSync(join(parts.serverDirectory, 'identity', 'server.pem'), path('client.pem')),
  ],
];

test.concurrent.each(CERTIFICATES)(
  '%s: it records all the same, and brings everything once the server has given it another',
  (_, spoil) =>
    TestDeployment.with({ source: `file:${clip}?loop` }, async (deployment) => {
      await spoil(deployment, inCameraDirectory(deployment));
      await deployment.endServer();
      await deployment.startCamera();
      expect(deployment.status).toMatchObject({ enrolment: { state: 'unknown' }, acknowledgedSeconds: 0 });
      await deployment.startServer();
      await until('it is enrolled again', () => deployment.status.enrolment.state === 'enrolled');
      expect(deployment.status.enrolment).toMatchObject({ certificates: 1 });
      expect(deployment.status.enrolment.trouble).toBeUndefined();
      await deployment.drains();
      expect(await deployment.endCamera()).toBe(0);
      const { code, report } = await expectNothingAcknowledgedLost(deployment, [deployment.status]);
      expect({ code, verdict: report.verdict }).toEqual({ code: 0, verdict: 'complete' });
    }),
);

const POLICIES: [string, string, Spoil][] = [
  ['no policy', '', (_, path) => rmSync(path('policy.json'))],
  ['a policy that is none', 'DOCUMENT_MALFORMED', (_, path) => writeFileSync(path('policy.json'), '{}')],
  [
    'a policy of another owner',
    'DOCUMENT_FORGED',
    async (deployment, path) => {
      const key = join(deployment.directory, 'thief.key');
      await orielDoes('keys', 'new', key);
      await signPolicy(deployment, key, path('policy.json'));
    },
  ],
];

test.concurrent.each(POLICIES)(
  '%s: it says so, and waits until the server brings the one of its owner',
  (_, code, spoil) =>
    TestDeployment.with({ source: `file:${clip}?loop` }, async (deployment) => {
      await spoil(deployment, inCameraDirectory(deployment));
      await deployment.endServer();
      deployment.launchCamera();
      await deployment.waits();
      await until('it says so', () => code === '' || deployment.complaints().length > 0);
      expect(deployment.status.capturedSeconds).toBe(0);
      expect(deployment.complaints().map((complaint) => complaint.code)).toEqual(code === '' ? [] : [code]);
      if (code !== '')
        await until('its status shows it', () => deployment.status.policy.trouble?.code === code);
      await deployment.startServer();
      await deployment.records();
      expect(deployment.status.policy).toMatchObject({ epoch: 1, counter: 1 });
      expect(await deployment.endCamera()).toBe(0);
    }),
);

test.concurrent('a policy older than the one obeyed last: it says so once, and waits for the other', () =>
  TestDeployment.with({ source: `file:${clip}?loop` }, async (deployment) => {
    const policy = join(deployment.cameraDirectory, 'policy.json');
    const old = readFileSync(policy);
    await signPolicy(deployment, deployment.parts.key, policy);
    const newer = readFileSync(policy);
    await deployment.startCamera();
    expect(deployment.status.policy).toMatchObject({ epoch: 1, counter: 2 });
    expect(await deployment.endCamera()).toBe(0);

    writeFileSync(policy, old);
    deployment.launchCamera();
    await deployment.waits();
    // The server still has the older one too.
    await until('the server was asked', () => deployment.status.policy.trouble?.code === 'POLICY_REFUSED');
    expect(deployment.complaints()).toEqual([
      expect.objectContaining({ code: 'POLICY_REFUSED', reason: expect.stringContaining(policy) }),
    ]);
    expect(deployment.complaints()[0]?.reason).toContain('oriel keys policy');
    writeFileSync(policy, newer);
    await deployment.records();
    expect(await deployment.endCamera()).toBe(0);
  }));

test.concurrent('a device key that others can read is warned of [KEY-01 where]', () =>
  TestDeployment.with({ source: `file:${clip}` }, async (deployment) => {
    const key = join(deployment.cameraDirectory, 'device.key');
    chmodSync(key, 0o644);
    const { code, stderr } = await run(deployment);
    expect(code).toBe(0);
    expect(stderr).toContain(`chmod 600 ${key}`);
  }));

test.concurrent('two on one directory: the second is refused, the first records on', () =>
  TestDeployment.with({ source: `file:${clip}?loop` }, async (deployment) => {
    await deployment.startCamera();
    const before = deployment.status;
    const { code, stderr } = await run(deployment);
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /^oriel: the camera in \S+ is running already; end it first \[CAMERA_RUNNING\]\n$/,
    );
    const after = await deployment.captures(2);
    expect(after).toMatchObject({ pid: before.pid, session: before.session });
    expect(await deployment.endCamera()).toBe(0);
    expect((await expectNothingAcknowledgedLost(deployment, [deployment.status])).code).toBe(0);
  }));

test.concurrent('a camera that was killed is not called running, and starts again', () =>
  TestDeployment.with({ source: `file:${clip}?loop` }, async (deployment) => {
    await deployment.startCamera();
    await deployment.killCamera();
    const shown = () => oriel('camera', 'status', deployment.cameraDirectory);
    await until('it is called killed', async () => /its agent was killed/.test((await shown()).stdout));
    await deployment.startCamera();
    expect(await shown()).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^● \w+ {2}recording, /),
    });
  }));
