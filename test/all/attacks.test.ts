import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { changeRollout } from '../../ota/publish.ts';
import { oriel, orielDoes } from '../../scripts/demonstration/oriel-command.ts';
import { attempt, looks, newLines, runningOf } from '../attacks/attempt.ts';
import { lyingServer, PATIENT } from '../attacks/lying-server.ts';
import {
  ALTERED_AFTER_STAGING,
  ALTERED_BEFORE_START,
  BESIDE,
  ONE_SIGNATURE_UNDER_THE_BUNDLE,
  TRICKS_WHILE_DUE,
  TRICKS_WHILE_WAITING,
  type Trick,
  WANTED,
} from '../attacks/tricks.ts';
import { breakBuild } from '../broken-build.ts';
import { until } from '../e2e/until.ts';
import {
  type SlottedDeployment,
  type SlottedOptions,
  versionOf,
  withSlots,
} from '../ota/slotted-deployment.ts';

/** Server, repository and TLS keys are a thief's; the camera is real, and records all the while. */

const PATIENCE_MS = 120_000;
const TRICKS = [...TRICKS_WHILE_WAITING, ...TRICKS_WHILE_DUE];

const server = lyingServer();
afterAll(() => server.remove());

/** Telemetry often enough to see it, and the release that the camera would take, for nobody yet. */
function withThief<T>(
  wish: Partial<SlottedOptions>,
  act: (slotted: SlottedDeployment) => Promise<T>,
): Promise<T> {
  return withSlots(
    { source: 'test:', server: server.oriel, sources: server.root, ...wish },
    async (slotted) => {
      slotted.deployment.changeConfig((config) => Object.assign(config, { telemetrySeconds: 5 }));
      await slotted.deployment.startCamera();
      await slotted.release(WANTED, '', { percentage: 0, beside: BESIDE });
      return act(slotted);
    },
  );
}

async function giveToAll({ testServer }: SlottedDeployment): Promise<void> {
  const toAll = (rollout: Parameters<Parameters<typeof changeRollout>[2]>[0]) => ({
    ...rollout,
    percentage: 100,
  });
  await changeRollout(testServer.repository, versionOf(WANTED), toAll, testServer.nowMs);
  await testServer.sign();
}

/** Plays a trick, which is refused and changes nothing; the camera goes on recording. */
async function isRefused(slotted: SlottedDeployment, trick: Trick): Promise<void> {
  const { deployment } = slotted;
  const before = runningOf(slotted);
  const { acknowledgedSeconds } = deployment.status;
  const frozen = trick.code === 'METADATA_EXPIRED';
  const outcome = await attempt(slotted, trick, () => (frozen ? isReported(slotted) : Promise.resolve()));
  expect([trick.name, outcome]).toEqual([trick.name, 'refused']);
  await until(
    'more is recorded and safe',
    () => deployment.status.acknowledgedSeconds > acknowledgedSeconds,
    PATIENCE_MS,
  );
  expect([trick.name, runningOf(slotted)]).toEqual([trick.name, before]);
}

/** To the camera's owner, and to who runs the server. */
async function isReported({ deployment }: SlottedDeployment): Promise<void> {
  const { serverDirectory } = deployment.parts;
  const { stdout } = await oriel('camera', 'status', deployment.cameraDirectory);
  expect(stdout).toContain('updates are kept from it');
  const words = 'updates are kept from it (METADATA_EXPIRED)';
  await until(
    'the server is told',
    async () => (await orielDoes('server', 'camera', 'list', serverDirectory)).includes(words),
    PATIENCE_MS,
  );
}

const wantedRuns = ({ state }: SlottedDeployment) =>
  until(
    `${versionOf(WANTED)} is confirmed`,
    () => state().release.version === versionOf(WANTED),
    PATIENCE_MS,
  );

test(
  'every trick is refused by its code, changes nothing that runs, and the camera records on; then it updates [KEY-16 where] [KEY-22 where] [KEY-23 where]',
  async () => {
    await withThief({}, async (slotted) => {
      const { deployment, installation, state } = slotted;
      await looks(slotted);
      for (const trick of TRICKS_WHILE_WAITING) await isRefused(slotted, trick);
      await giveToAll(slotted);
      for (const trick of TRICKS_WHILE_DUE) await isRefused(slotted, trick);

      await looks(slotted);
      await wantedRuns(slotted);
      await deployment.records();
      await isAlteredBeforeStart(slotted);

      const incoming = join(deployment.cameraDirectory, 'updates/incoming');
      expect(readdirSync(join(incoming, 'partial'))).toEqual([]);
      expect(existsSync(join(installation, state().active, 'files/app/beside-2'))).toBe(true);
      const { serverDirectory } = deployment.parts;
      const said = await until(
        'all of it is reported',
        async () => {
          const [camera] = JSON.parse(await orielDoes('server', 'fleet', serverDirectory, '--json')).cameras;
          return camera.reports.length === 5 && camera.reports;
        },
        PATIENCE_MS,
      );
      expect(said).toMatchObject([
        { event: 'confirmed', version: versionOf(WANTED) },
        { event: 'altered', version: versionOf(WANTED), code: ALTERED_BEFORE_START.code },
        { event: 'confirmed', version: versionOf(WANTED) },
        { event: 'refused', code: 'FILE_MISSING' },
        { event: 'refused', code: 'FILE_ALTERED' },
      ]);
      expect(await deployment.endCamera()).toBe(0);
      const { report } = await deployment.verify();
      expect(report.counts).toMatchObject({ refused: 0 });
    });
  },
  10 * PATIENCE_MS,
);

/** What runs is altered, and its agent killed: the spare runs, never what was put there; then the release comes anew. */
async function isAlteredBeforeStart(slotted: SlottedDeployment): Promise<void> {
  const { deployment, installation, state } = slotted;
  const lines = newLines(slotted);
  const mark = join(deployment.directory, 'ran');
  const thief = `import { writeFileSync } from 'node:fs'; writeFileSync(${JSON.stringify(mark)}, '');\n`;
  writeFileSync(join(installation, state().active, 'files/app/oriel.mjs'), thief);
  process.kill(deployment.status.pid, 'SIGKILL');
  const told = await until(
    'the spare is started',
    () => {
      const seen = lines();
      return seen.some(({ msg }) => msg === 'starting this slot') && seen;
    },
    PATIENCE_MS,
  );
  expect(told).toContainEqual(
    expect.objectContaining({ msg: 'this slot is not as it was signed', code: ALTERED_BEFORE_START.code }),
  );
  expect(told).toContainEqual(
    expect.objectContaining({ msg: 'starting this slot', version: versionOf(1), phase: 'steady' }),
  );
  await wantedRuns(slotted);
  await deployment.records();
  expect(existsSync(mark)).toBe(false);
}

test('the threat model lists these tricks, and no other', () => {
  const document = readFileSync(join(import.meta.dirname, '../../docs/design/threat-model.md'), 'utf8');
  const rows = [...TRICKS, ALTERED_BEFORE_START].map(
    ({ name, by, code }) => `| ${name} | ${by} | \`${code}\` |`,
  );
  const table = ['| trick | refused by | code |', '| --- | --- | --- |', ...rows, ''].join('\n');
  if (!document.includes(`\n${table}\n`))
    throw new Error(`docs/design/threat-model.md has no such table:\n${table}`);
});

test(
  'control: where one signature is enough and launchers go by no hash, both of these tricks succeed [KEY-22 where]',
  async () => {
    const broken = breakBuild(
      PATIENT,
      { file: 'ota/signatures.ts', from: 'fitting.size >= threshold', to: 'fitting.size >= 1' },
      {
        file: 'ota/slot-writer.ts',
        from: "if (size !== file.size || hash.digest('hex') !== file.sha256)",
        to: 'if (false)',
      },
      { file: 'ota/bundle-files.ts', from: '!== expected.sha256', to: '=== undefined' },
    );
    try {
      await withThief({ launcher: broken.oriel, sources: broken.root }, async (slotted) => {
        await giveToAll(slotted);
        expect(await attempt(slotted, ALTERED_AFTER_STAGING)).toBe('installed');
        expect(await attempt(slotted, ONE_SIGNATURE_UNDER_THE_BUNDLE)).toBe('installed');
      });
    } finally {
      broken.remove();
    }
  },
  5 * PATIENCE_MS,
);
