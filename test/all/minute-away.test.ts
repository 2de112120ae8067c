import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeClip } from '../e2e/clips.ts';
import { expectBridged } from '../e2e/footage-accounting.ts';
import { TestDeployment } from '../e2e/test-deployment.ts';

const directory = mkdtempSync(join(tmpdir(), 'oriel-clips-'));
const clip = makeClip({ path: join(directory, 'clip.mp4'), seconds: 4 });
afterAll(() => rmSync(directory, { recursive: true }));

test.concurrent.each([
  [
    'network cut',
    (deployment: TestDeployment) => deployment.relay.cut(),
    async (deployment: TestDeployment) => deployment.relay.mend(),
  ],
  [
    'network dead',
    (deployment: TestDeployment) => deployment.relay.deaden(),
    async (deployment: TestDeployment) => deployment.relay.mend(),
  ],
  [
    'server killed',
    (deployment: TestDeployment) => deployment.killServer(),
    (deployment: TestDeployment) => deployment.startServer(),
  ],
] as const)('%s for a minute: recording goes on, and everything arrives', (_, leave, comeBack) =>
  TestDeployment.with({ source: `file:${clip}?loop` }, async (deployment) => {
    await deployment.startCamera();
    const back = await expectBridged(deployment, async () => {
      await leave(deployment);
      await deployment.captures(60);
      await comeBack(deployment);
    });
    expect(back.heldSeconds).toBeGreaterThan(55);
    expect(back.spooledBytes).toBeGreaterThan(0);
  }),
);
