import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { CameraDirectory } from '../../agent/state/camera-directory.ts';
import { oriel, orielDoes } from '../../scripts/demonstration/oriel-command.ts';
import { breakBuild } from '../broken-build.ts';
import { TestDeployment } from '../e2e/test-deployment.ts';
import { until } from '../e2e/until.ts';
import { commandsNamedIn } from '../repository/named-commands.ts';

const SOURCE = 'test:?size=160x120&rate=10';
const mount = (...args: string[]) => execFileSync('mount', args);

/** A process that has a file open in there goes on writing it: as when the kernel makes a card read-only at a fault. */
function becomeReadOnly(path: string): void {
  mount('--bind', path, path);
  mount('-o', 'remount,ro,bind', path);
}
const becomeWritable = (path: string) => execFileSync('umount', ['--lazy', path]);

const status = ({ cameraDirectory }: TestDeployment) => oriel('camera', 'status', cameraDirectory);
const READ_ONLY = 'its card is read-only';

function killCapture(deployment: TestDeployment): void {
  const [capture] = deployment.cameraProcesses(/ camera capture /);
  if (capture === undefined) throw new Error('there is no capture');
  process.kill(capture.pid, 'SIGKILL');
}

const capturesEnded = (deployment: TestDeployment) =>
  deployment.log('camera').split('capture ended; starting it again').length - 1;

/** Capture is started again, and finds its FIFOs. */
async function filmsAfterANewCapture(deployment: TestDeployment): Promise<void> {
  killCapture(deployment);
  await until('it is started again', () => capturesEnded(deployment) === 1);
  // What the one before had brought counts for less than this.
  await deployment.captures(3);
  expect(capturesEnded(deployment)).toBe(1);
}

function removeElsewhere({ cameraDirectory }: TestDeployment): void {
  const { runElsewhere, claimsElsewhere } = new CameraDirectory(cameraDirectory);
  for (const path of [runElsewhere, claimsElsewhere]) rmSync(path, { recursive: true, force: true });
}

test.concurrent('[FC-11] a camera whose card becomes read-only, and writable again, while it runs films on and says so', async () => {
  await TestDeployment.with({ source: SOURCE }, async (deployment) => {
    const { cameraDirectory } = deployment;
    await deployment.startCamera();
    becomeReadOnly(cameraDirectory);
    try {
      await until('it says so', async () => (await status(deployment)).stdout.includes(READ_ONLY));
      expect(deployment.log('camera')).toContain('the card is read-only');
      await filmsAfterANewCapture(deployment);
      const refused = { code: 1, stderr: expect.stringContaining('CAMERA_RUNNING') };
      expect(await oriel('camera', 'run', cameraDirectory)).toMatchObject(refused);
    } finally {
      becomeWritable(cameraDirectory);
    }
    await until('it does no more', async () => !(await status(deployment)).stdout.includes(READ_ONLY));
    await deployment.captures(1);
    expect(existsSync(new CameraDirectory(cameraDirectory).statusElsewhere)).toBe(false);
    expect(await deployment.endCamera()).toBe(0);
    removeElsewhere(deployment);
  });
});

/** A camera that starts on a read-only card, of which that is known from before. */
async function onReadOnlyCard(
  camera: string | undefined,
  act: (deployment: TestDeployment) => Promise<void>,
) {
  await TestDeployment.with(
    { source: SOURCE, ...(camera !== undefined && { camera }) },
    async (deployment) => {
      await deployment.startCamera();
      expect(await deployment.endCamera()).toBe(0);
      rmSync(join(deployment.cameraDirectory, 'run'), { recursive: true });
      becomeReadOnly(deployment.cameraDirectory);
      try {
        await deployment.startCamera();
        await act(deployment);
      } finally {
        if (execFileSync('mount', { encoding: 'utf8' }).includes(deployment.cameraDirectory))
          becomeWritable(deployment.cameraDirectory);
        removeElsewhere(deployment);
      }
    },
  );
}

test.concurrent('[FC-11] [REM-CARD_READ_ONLY] a camera whose card has become read-only films from memory, uploads, and says so', async () => {
  await onReadOnlyCard(undefined, async (deployment) => {
    const { cameraDirectory } = deployment;
    await until('what it films is at the server', () => deployment.status.acknowledgedSeconds >= 2);
    expect(await status(deployment)).toMatchObject({ code: 0, stdout: expect.stringContaining(READ_ONLY) });
    const { concerns } = JSON.parse((await oriel('camera', 'status', cameraDirectory, '--json')).stdout);
    expect(concerns).toMatchObject([{ code: 'CARD_READ_ONLY' }]);
    expect(commandsNamedIn(concerns[0].wayOut)).toEqual([`camera run ${cameraDirectory}`]);
    expect(await oriel('camera', 'run', cameraDirectory)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('CAMERA_RUNNING'),
    });
    expect(deployment.log('camera')).toContain('the card is read-only');
    const { run, runElsewhere, claimsElsewhere } = new CameraDirectory(cameraDirectory);
    expect(run).toBe(runElsewhere);
    expect(existsSync(claimsElsewhere)).toBe(true);
    const { serverDirectory, cameraId, key } = deployment.parts;
    const look = () =>
      until('it looks for what its owner has signed', async () => {
        const ask = await oriel(
          'server',
          'camera',
          'ask',
          serverDirectory,
          cameraId,
          'refresh',
          '--wait',
          '60',
        );
        return ask.code === 0;
      });
    const [policy, onFile] = [join(deployment.directory, 'policy'), join(cameraDirectory, 'policy.json')];
    const before = readFileSync(onFile, 'utf8');
    await orielDoes('keys', 'policy', key, '--camera', cameraId, '--out', policy);
    await orielDoes('server', 'policy', 'put', serverDirectory, policy, '--camera', cameraId);
    await look();
    await until(
      'a policy is obeyed that its file does not hold',
      () => deployment.status.policy.counter === 2,
    );
    expect(readFileSync(onFile, 'utf8')).toBe(before);
    expect(deployment.log('camera')).toContain('policy received, and obeyed from memory');
    // An administrator has it written to again.
    becomeWritable(cameraDirectory);
    await look();
    await until('the policy is on file', () => readFileSync(onFile, 'utf8') !== before);
    await filmsAfterANewCapture(deployment);
    expect((await status(deployment)).stdout).not.toContain(READ_ONLY);
    expect(await oriel('camera', 'run', cameraDirectory)).toMatchObject({ code: 1 });
    expect(await deployment.endCamera()).toBe(0);
    expect((await deployment.verify()).code).toBe(0);
    // As its status advised: it can be written to again, and the camera is started again.
    await deployment.startCamera();
    expect(deployment.status.readOnly).toBe(false);
    expect(await deployment.endCamera()).toBe(0);
  });
});

test.concurrent('control: a capture that decides for itself where its FIFOs are waits at others than the agent', async () => {
  const broken = breakBuild({
    file: 'launcher/role-process.ts',
    from: '{ ...command.environment, ...env, ...runEnvironment(directory.run) }',
    to: "name === 'agent' ? { ...command.environment, ...env, ...runEnvironment(directory.run) } : env",
  });
  try {
    await onReadOnlyCard(broken.oriel, async (deployment) => {
      becomeWritable(deployment.cameraDirectory);
      killCapture(deployment);
      await until('it has failed by itself, again and again', () => capturesEnded(deployment) >= 3);
    });
  } finally {
    broken.remove();
  }
});
