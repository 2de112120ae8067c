import { oriel } from '../../scripts/demonstration/oriel-command.ts';
import { breakBuild } from '../broken-build.ts';
import { expectNothingAcknowledgedLost } from '../e2e/footage-accounting.ts';
import { TestDeployment } from '../e2e/test-deployment.ts';
import { until } from '../e2e/until.ts';

/** A camera that has used up its room at the server keeps what it films, says so, and loses nothing. */

const SOURCE = 'test:?size=1280x720&rate=25';
const REFUSED = 'QUOTA_EXCEEDED';
const refusals = (deployment: TestDeployment) => deployment.status.uplink.refusals?.[REFUSED] ?? 0;

test('at its quota a camera holds its footage in the spool and shows why; with more room all of it arrives', () =>
  TestDeployment.with({ source: SOURCE, serverOptions: ['--camera-quota', '1M'] }, async (deployment) => {
    await deployment.startCamera();
    await until('it is refused', () => refusals(deployment) > 0);
    await deployment.captures(3);
    const shown = await oriel('camera', 'status', deployment.cameraDirectory);
    expect(shown.code).toBe(0);
    expect(shown.stdout).toMatch(
      /● WARN {2}recording.*\n.*used up its room on the server.*\n.*--camera-quota/,
    );
    const { heldSeconds, droppedSeconds } = deployment.status;
    expect(heldSeconds).toBeGreaterThan(2);
    expect(droppedSeconds).toBe(0);
    expect(deployment.log('server')).toContain(REFUSED);

    await deployment.endServer();
    deployment.serverOptions = [];
    await deployment.startServer();
    await deployment.drains();
    expect(await deployment.endCamera()).toBe(0);
    const { code } = await expectNothingAcknowledgedLost(deployment, [deployment.status]);
    expect(code).toBe(0);
    expect(deployment.status).toMatchObject({ heldSeconds: 0, droppedSeconds: 0 });
  }));

test('a server that looks at no quota takes all of it', async () => {
  const broken = breakBuild({
    file: 'server/storage/usage.ts',
    from: "    if (verdict === 'admitted') return;\n",
    to: '    if (verdict.length > 0) return;\n',
  });
  try {
    await TestDeployment.with(
      { source: SOURCE, server: broken.oriel, serverOptions: ['--camera-quota', '1M'] },
      async (deployment) => {
        await deployment.startCamera();
        await until('more than its quota is there', () => deployment.status.acknowledgedBytes > 2 ** 21);
        expect(refusals(deployment)).toBe(0);
      },
    );
  } finally {
    broken.remove();
  }
});
