import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { CameraDirectory } from '../../agent/camera/camera-directory.ts';
import { runElsewhere } from '../../agent/camera/run-elsewhere.ts';
import { oriel } from '../../scripts/demonstration/oriel-command.ts';
import { commandsNamedIn } from '../house/named-commands.ts';
import { Home } from './home.ts';
import { until } from './until.ts';

const mount = (...args: string[]) => execFileSync('mount', args);

test('[FC-11] [REM-CARD_READ_ONLY] a camera whose card has become read-only films from memory, uploads, and says so', async () => {
  await Home.with({ source: 'test:?size=160x120&rate=10' }, async (home) => {
    await home.startCamera();
    expect(await home.endCamera()).toBe(0);
    const { cameraDirectory } = home;
    mount('--bind', cameraDirectory, cameraDirectory);
    mount('-o', 'remount,ro,bind', cameraDirectory);
    try {
      await home.startCamera();
      await until('what it films is at the server', () => home.status.acknowledgedSeconds >= 2);
      const { code, stdout } = await oriel('camera', 'status', cameraDirectory, '--json');
      const { concerns } = JSON.parse(stdout);
      expect([code, concerns]).toMatchObject([0, [{ code: 'CARD_READ_ONLY' }]]);
      expect(commandsNamedIn(concerns[0].wayOut)).toEqual([`camera run ${cameraDirectory}`]);
      expect(await oriel('camera', 'run', cameraDirectory)).toMatchObject({
        code: 1,
        stderr: expect.stringContaining('CAMERA_RUNNING'),
      });
      expect(await home.endCamera()).toBe(0);
      expect(home.log('camera')).toContain('the card is read-only');
      const { run, claimsElsewhere: claims } = new CameraDirectory(cameraDirectory);
      expect(run).toBe(runElsewhere(cameraDirectory));
      expect(existsSync(claims)).toBe(true);
      execFileSync('rm', ['-r', run, claims]);
    } finally {
      execFileSync('umount', [cameraDirectory]);
    }
    expect((await home.verify()).code).toBe(0);
    // As its status advised: it can be written to again, and the camera is started again.
    await home.startCamera();
    expect(home.status.readOnly).toBe(false);
    expect(await home.endCamera()).toBe(0);
  });
});
