import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeClip } from '../e2e/clips.ts';
import { expectBridged } from '../e2e/footage-accounting.ts';
import { Home } from '../e2e/test-deployment.ts';

const directory = mkdtempSync(join(tmpdir(), 'oriel-clips-'));
const clip = makeClip({ path: join(directory, 'clip.mp4'), seconds: 4 });
afterAll(() => rmSync(directory, { recursive: true }));

test.concurrent.each([
  ['network cut', (home: Home) => home.relay.cut(), async (home: Home) => home.relay.mend()],
  ['network dead', (home: Home) => home.relay.deaden(), async (home: Home) => home.relay.mend()],
  ['server killed', (home: Home) => home.killServer(), (home: Home) => home.startServer()],
] as const)('%s for a minute: recording goes on, and everything arrives', (_, leave, comeBack) =>
  Home.with({ source: `file:${clip}?loop` }, async (home) => {
    await home.startCamera();
    const back = await expectBridged(home, async () => {
      await leave(home);
      await home.captures(60);
      await comeBack(home);
    });
    expect(back.heldSeconds).toBeGreaterThan(55);
    expect(back.spooledBytes).toBeGreaterThan(0);
  }),
);
