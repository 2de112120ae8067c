import { until } from '../e2e/until.ts';
import { withSlots } from '../ota/slotted-home.ts';

/** A camera that updates itself, with a real server, real video, and releases that are real but for the runtime. */

const PATIENCE_MS = 120_000;

test(
  'a good release rolls out by push; a bad one goes back by itself; the next repairs it',
  async () => {
    await withSlots('test:', async ({ home, state, release, push }) => {
      await home.startCamera();
      expect(state()).toMatchObject({ active: 'a', release: { version: '1.0.1' }, trial: null });

      await release(2);
      await push();
      await until('1.0.2 is confirmed', () => state().release.version === '1.0.2', PATIENCE_MS);
      expect(state()).toMatchObject({
        active: 'b',
        spare: { version: '1.0.1' },
        trial: null,
        minimum: '0.0.1',
      });
      await home.records();

      await release(3, "if (process.argv[3] === 'agent') process.exit(7);");
      await push();
      await until('1.0.3 went back', () => state().refused.length > 0, PATIENCE_MS);
      expect(state()).toMatchObject({
        active: 'b',
        release: { version: '1.0.2' },
        refused: [{ counter: 3, code: 'AGENT_EXITED' }],
      });
      await home.records();

      await release(4);
      await push();
      await until('1.0.4 is confirmed', () => state().release.version === '1.0.4', PATIENCE_MS);
      await home.records();
      await home.captures(3);
      expect(await home.endCamera()).toBe(0);
    });
  },
  6 * PATIENCE_MS,
);
