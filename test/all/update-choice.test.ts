import { join } from 'node:path';
import { oriel, orielDoes } from '../../scripts/demonstration/oriel-command.ts';
import { until } from '../e2e/until.ts';
import { withSlots } from '../ota/slotted-deployment.ts';

/** What an owner says of updates, and what somebody brings by hand, on a real camera whose agent has a user of its own. */

const HALF_A_DAY_MS = 43_200_000;
const timeOfDay = (ms: number) => new Date(ms).toISOString().slice(11, 16);

test('a release waits for its window; one brought by hand does not; an owner opens the window', async () => {
  await withSlots(
    { source: 'test:', separated: true },
    async ({ deployment, testServer, installation, state, release, push }) => {
      const { key, cameraId, serverDirectory } = deployment.parts;
      const camera = deployment.cameraDirectory;
      const policy = join(deployment.directory, 'next-policy.json');
      /** Once the agent of this version hears the server. */
      const ask = async (version: string) => {
        await until('the camera can be asked', () => {
          const status = deployment.lookAtStatus();
          return status?.release?.version === version && status.control.connected;
        });
        await push();
      };
      const decide = async (running: string, ...options: string[]) => {
        await orielDoes('keys', 'policy', key, '--camera', cameraId, '--out', policy, '--force', ...options);
        await orielDoes('server', 'policy', 'put', serverDirectory, policy, '--camera', cameraId);
        await ask(running);
      };
      const waits = () => deployment.lookAtStatus()?.release?.waiting;

      await deployment.startCamera();
      const shut = `${timeOfDay(Date.now() + HALF_A_DAY_MS)}-${timeOfDay(Date.now() + HALF_A_DAY_MS + 60_000)}`;
      const { counter } = deployment.status.policy;
      await decide('1.0.1', '--update-window', shut);
      await until('the policy is obeyed', () => deployment.lookAtStatus()?.policy.counter === counter + 1);
      await release(2);
      await ask('1.0.1');
      await until('1.0.2 waits', () => waits()?.version === '1.0.2');
      await until('its files are here', () =>
        deployment.log('camera').includes('it waits, as its owner has chosen'),
      );
      const shown = await orielDoes('camera', 'version', camera);
      expect(shown).toMatch(/model +\S+ on \S+\n/);
      expect(shown).toMatch(/version +1\.0\.1 \(number 1\), in slot a/);
      expect(shown).toMatch(/waiting +1\.0\.2 waits for .* at most/);
      expect(await orielDoes('camera', 'status', camera)).toMatch(/waiting +1\.0\.2 waits for/);

      const file = join(deployment.directory, 'update.tar');
      await orielDoes('release', 'pack', testServer.repository.directory, '--out', file);
      const brought = await oriel('camera', 'update', camera, file, '--json');
      expect(JSON.parse(brought.stdout)).toMatchObject({ state: 'confirmed', version: '1.0.2' });
      expect(state()).toMatchObject({ active: 'b', release: { version: '1.0.2' } });

      await release(3);
      await ask('1.0.2');
      await until('1.0.3 waits', () => waits()?.version === '1.0.3');
      expect(state().release.version).toBe('1.0.2');
      await decide('1.0.2');
      await until('1.0.3 is confirmed', () => state().release.version === '1.0.3');
      expect(await orielDoes('launcher', 'status', installation)).toContain('1.0.3');
      expect(await deployment.endCamera()).toBe(0);
    },
  );
}, 480_000);
