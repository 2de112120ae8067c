import { oriel } from '../../scripts/demonstration/oriel-command.ts';
import { breakBuild } from '../broken-build.ts';
import { expectNothingAcknowledgedLost } from '../e2e/footage-accounting.ts';
import { Home } from '../e2e/test-deployment.ts';
import { until } from '../e2e/until.ts';

/** A camera that has used up its room at the server keeps what it films, says so, and loses nothing. */

const SOURCE = 'test:?size=1280x720&rate=25';
const REFUSED = 'QUOTA_EXCEEDED';
const refusals = (home: Home) => home.status.uplink.refusals?.[REFUSED] ?? 0;

test('at its quota a camera holds its footage in the spool and shows why; with more room all of it arrives', () =>
  Home.with({ source: SOURCE, serverOptions: ['--camera-quota', '1M'] }, async (home) => {
    await home.startCamera();
    await until('it is refused', () => refusals(home) > 0);
    await home.captures(3);
    const shown = await oriel('camera', 'status', home.cameraDirectory);
    expect(shown.code).toBe(0);
    expect(shown.stdout).toMatch(
      /● WARN {2}recording.*\n.*used up its room on the server.*\n.*--camera-quota/,
    );
    const { heldSeconds, droppedSeconds } = home.status;
    expect(heldSeconds).toBeGreaterThan(2);
    expect(droppedSeconds).toBe(0);
    expect(home.log('server')).toContain(REFUSED);

    await home.endServer();
    home.serverOptions = [];
    await home.startServer();
    await home.drains();
    expect(await home.endCamera()).toBe(0);
    const { code } = await expectNothingAcknowledgedLost(home, [home.status]);
    expect(code).toBe(0);
    expect(home.status).toMatchObject({ heldSeconds: 0, droppedSeconds: 0 });
  }));

test('a server that looks at no quota takes all of it', async () => {
  const broken = breakBuild({
    file: 'server/storage/usage.ts',
    from: "    if (verdict === 'admitted') return;\n",
    to: '    if (verdict.length > 0) return;\n',
  });
  try {
    await Home.with(
      { source: SOURCE, server: broken.oriel, serverOptions: ['--camera-quota', '1M'] },
      async (home) => {
        await home.startCamera();
        await until('more than its quota is there', () => home.status.acknowledgedBytes > 2 ** 21);
        expect(refusals(home)).toBe(0);
      },
    );
  } finally {
    broken.remove();
  }
});
