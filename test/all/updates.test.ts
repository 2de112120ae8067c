import { appendFileSync, existsSync, mkdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { systemDisk } from '../../host/disk.ts';
import { wholeBundle } from '../../ota/bundle-source.ts';
import { Slots } from '../../ota/slots.ts';
import { orielDoes } from '../../scripts/demonstration/oriel-command.ts';
import { gapsOf } from '../../scripts/simulation/rollout.ts';
import { breakBuild } from '../broken-build.ts';
import { until } from '../e2e/until.ts';
import { withSlots } from '../ota/slotted-deployment.ts';

/** A camera that updates itself, with a real server, real video, and releases that are real but for the runtime. */

const PATIENCE_MS = 120_000;

test(
  'a good release rolls out by push; a bad one goes back by itself; the next repairs it; one is taken back on request',
  async () => {
    await withSlots({ source: 'test:' }, async ({ deployment, installation, state, release, push }) => {
      await deployment.startCamera();
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
      await deployment.records();

      await release(3, "if (process.argv[3] === 'agent') process.exit(7);");
      await push();
      await until('1.0.3 went back', () => state().refused.length > 0, PATIENCE_MS);
      expect(state()).toMatchObject({
        active: 'b',
        release: { version: '1.0.2' },
        refused: [{ counter: 3, code: 'AGENT_EXITED', version: '1.0.3' }],
      });
      await deployment.records();
      expect(deployment.status.release?.returned).toEqual({ name: '1.0.3', code: 'AGENT_EXITED' });

      await release(4);
      await push();
      await until('1.0.4 is confirmed', () => state().release.version === '1.0.4', PATIENCE_MS);
      await deployment.records();
      await deployment.captures(3);
      const fleet = async () => {
        const { serverDirectory } = deployment.parts;
        return JSON.parse(await orielDoes('server', 'fleet', serverDirectory, '--json')).cameras[0];
      };
      const said = await until('all of it is reported', async () => {
        const camera = await fleet();
        return camera.reports.length === 3 && camera;
      });
      expect(said.reports).toMatchObject([
        { number: 3, event: 'confirmed', version: '1.0.4', slot: 'a' },
        { number: 2, event: 'returned', version: '1.0.3', slot: 'a', code: 'AGENT_EXITED' },
        { number: 1, event: 'confirmed', version: '1.0.2', slot: 'b' },
      ]);
      await until('the launcher forgets what was reported', () => state().outcomes.length === 0);
      expect((await fleet()).version).toBe('1.0.4');

      // Without a server there is nothing to wait for when one hands over to the other.
      await deployment.endServer();
      const { pid } = deployment.status;
      await orielDoes('launcher', 'rollback', installation);
      await until('1.0.2 is back', () => state().release.version === '1.0.2');
      await until('its agent records', () => {
        // None while the run directory is made anew.
        const status = deployment.lookAtStatus();
        return status !== undefined && status.pid !== pid && status.capturedSeconds >= 1;
      });
      await deployment.startServer();
      await deployment.drains();
      const shown = await orielDoes('launcher', 'status', installation);
      expect(shown).toContain('went back: ROLLBACK_ASKED');
      expect(await deployment.endCamera()).toBe(0);
      const { report } = await deployment.verify();
      expect(report.counts).toMatchObject({ open: 0, missing: 0, refused: 0 });
      const gaps = gapsOf(report.segments).map((seconds) => seconds.toFixed(2));
      console.log(`seconds without footage around each start of a release: ${gaps.join(', ')}`);
    });
  },
  6 * PATIENCE_MS,
);

test(
  'with users of their own and a launcher of two capabilities; an altered slot gives way to the other',
  async () => {
    await withSlots(
      { source: 'test:', separated: true },
      async ({ deployment, installation, state, release, push }) => {
        await deployment.startCamera();
        await release(2);
        await push();
        await until('1.0.2 is confirmed', () => state().release.version === '1.0.2', PATIENCE_MS);
        const program = (slot: string) => join(installation, slot, 'files/app/oriel.mjs');
        expect(statSync(program('b'))).toMatchObject({ uid: 0, mode: 0o100644 });
        expect(await deployment.endCamera()).toBe(0);

        appendFileSync(program('b'), '\n');
        await deployment.startCamera();
        expect(state()).toMatchObject({ active: 'a', release: { version: '1.0.1' }, spare: null });
        expect(await deployment.endCamera()).toBe(0);
      },
    );
  },
  3 * PATIENCE_MS,
);

test(
  '[FC-54] a household follows its maker: a release reaches a camera that nobody looks after, and the maker need not be there',
  async () => {
    await withSlots(
      { source: 'test:', follows: true },
      async ({ testServer, deployment, state, release }) => {
        const { serverDirectory } = deployment.parts;
        await deployment.startCamera();
        await release(2);
        // Within the hour by itself.
        const checked = await orielDoes('server', 'updates', 'check', serverDirectory);
        expect(checked).toContain('1.0.2');
        testServer.server.answer = (_, response) => Boolean(response.writeHead(503).end());
        await until('1.0.2 is confirmed', () => state().release.version === '1.0.2', PATIENCE_MS);
        await deployment.records();
        expect(await orielDoes('server', 'fleet', serverDirectory)).toContain(
          `updates of ${testServer.server.url}, in order`,
        );
        expect(await deployment.endCamera()).toBe(0);
      },
    );
  },
  3 * PATIENCE_MS,
);

/** Starts a camera whose only slot was altered. @returns whether what was put there ran. */
function altersAndRuns(launcher?: string): Promise<boolean> {
  const wish = { source: 'test:', ...(launcher !== undefined && { launcher }) };
  return withSlots(wish, async ({ deployment, installation }) => {
    const mark = join(deployment.directory, 'ran');
    const thief = `import { writeFileSync } from 'node:fs'; writeFileSync(${JSON.stringify(mark)}, '');\n`;
    writeFileSync(join(installation, 'a/files/app/oriel.mjs'), thief);
    deployment.launchCamera();
    return until('it is clear what runs', () => {
      if (existsSync(mark)) return 'ran' as const;
      return (
        deployment.log('camera').includes('no slot holds a release that is whole') && ('refused' as const)
      );
    }).then((seen) => seen === 'ran');
  });
}

test('what was altered in the only slot never runs, and the launcher says so', async () => {
  expect(await altersAndRuns()).toBe(false);
});

test('control: a launcher that looks at signatures alone when it starts runs what was altered', async () => {
  const broken = breakBuild({
    file: 'ota/verify-bundle.ts',
    from: '  await verifyFiles(join(directory, FILES_DIRECTORY), verified.bundle.files);\n',
    to: '',
  });
  try {
    expect(await altersAndRuns(broken.oriel)).toBe(true);
  } finally {
    broken.remove();
  }
});

/**
 * Starts a camera with a release on trial and a disk that takes no more of the launcher's state.
 * @returns the version that runs.
 */
function runsOnFullDisk(launcher?: string): Promise<string> {
  const wish = { source: 'test:', ...(launcher !== undefined && { launcher }) };
  return withSlots(wish, async ({ testServer, deployment, installation, contents }) => {
    const changes = { version: '1.0.2', counter: 2 };
    const directory = await testServer.release({ contents: contents(2), changes });
    const slots = await Slots.open({
      disk: systemDisk,
      directory: installation,
      trust: testServer.maker.trust,
    });
    await slots.stage(wholeBundle(directory), true);
    // Where it is written first.
    mkdirSync(join(installation, 'state.json.tmp'));
    deployment.launchCamera();
    await deployment.records();
    return until(
      'its agent says what it is',
      () => /"running":"([\d.]+)"/.exec(deployment.log('camera'))?.[1],
    );
  });
}

test('on a disk that takes no more nothing is tried: the release confirmed last records', async () => {
  expect(await runsOnFullDisk()).toBe('1.0.1');
});

test('control: a launcher that does without counting tries it', async () => {
  const broken = breakBuild({
    file: 'launcher/slots/slot-run.ts',
    from: "      await this.#advance({ kind: 'set-aside' });\n",
    to: '',
  });
  try {
    expect(await runsOnFullDisk(broken.oriel)).toBe('1.0.2');
  } finally {
    broken.remove();
  }
});
