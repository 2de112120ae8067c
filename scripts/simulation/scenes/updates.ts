import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { FootageReport } from '../../../footage/report.ts';
import { orielDoes } from '../../demonstration/oriel-command.ts';
import { type MadeRelease, Maker, type SourceChange } from '../../release/maker.ts';
import { type Camera, type Fleet, SERVER_DIRECTORY } from '../fleet.ts';
import { type FleetReleases, gapAt, type Report, reportOf } from '../rollout.ts';
import { type Finding, finding, type Scene, type Stage } from '../scene.ts';
import { pause, until } from '../wait.ts';

/** Long enough for a good release on a busy machine, and no longer. */
const LIMITS = { format: 'oriel-limits-1', proveSeconds: 5 };
/** Launcher, agent, capture and ffmpeg, and for a while the next release, which is asked what it captures. */
const PIDS = 128;
const PATIENCE_MS = 300_000;

const lineMore = (line: string): SourceChange => ({
  file: 'agent/updates/updates.ts',
  edit: (source) => `${source}\n${line}\n`,
});
const CRASHES: SourceChange = {
  file: 'agent/recording/fragment-ingest.ts',
  edit: (source) =>
    source.replace(
      'this.#options.recorder.record({ ...event, filmedMs: filmed });',
      "setImmediate(() => { throw new Error('a bad release'); });",
    ),
};
const RELEASES = [
  { what: 'a good one', change: lineMore("performance.mark('better');"), good: true },
  { what: 'one that crashes at its first picture', change: CRASHES, good: false },
  { what: 'one that mends it', change: lineMore("performance.mark('mended');"), good: true },
];

/** What was pushed, and what all cameras had reported of it when that was done. */
interface Rollout {
  readonly version: string;
  readonly good: boolean;
  readonly fromMs: number;
  readonly toMs: number;
  readonly reports: ReadonlyMap<Camera, Report>;
}

/** Releases of a maker are pushed to every camera: a good one, a bad one, and one that mends it. */
export const updates: Scene = {
  name: 'updates',
  title: 'a release is pushed, then one that crashes, then one that mends it',
  seconds: 5,
  onlyIfAsked: true,
  async play(stage) {
    const { fleet, seconds, say } = stage;
    const maker = await Maker.open(join(fleet.room, 'maker'), fleet.updates);
    say('a maker builds a release, and every camera is flashed with it');
    let current = await maker.build();
    await publish(fleet, maker, current);
    try {
      await flash(fleet, maker, current);
      const rollouts: Rollout[] = [];
      for (const { what, change, good } of RELEASES) {
        const next = await maker.buildPatch(change);
        await publish(fleet, maker, next, current);
        say(`${next.bundle.version}, ${what}, is pushed`);
        rollouts.push(await rollOut(stage, next, good));
        current = next;
        await pause(seconds * 1000, fleet.signal);
      }
      const footage = await fleet.footage();
      return rollouts.flatMap((rollout) => findingsOf(fleet, rollout, footage));
    } finally {
      for (const camera of fleet.cameras) fleet.willBe(camera, undefined);
    }
  },
};

async function publish(fleet: Fleet, maker: Maker, release: MadeRelease, previous?: MadeRelease) {
  await maker.publish(release, previous);
  await fleet.own(fleet.updates);
}

/** From now on the cameras run from slots. */
async function flash(fleet: Fleet, { anchor, root }: Maker, { directory, bundle }: MadeRelease) {
  const limits = join(fleet.room, 'limits.json');
  writeFileSync(limits, JSON.stringify(LIMITS));
  const [board = ''] = bundle.hardware;
  const flashed = ['--anchor', anchor, '--root', root, '--hardware', board, '--limits', limits];
  const installationOf = ({ name }: Camera) => join(fleet.room, `${name}-installation`);
  for (const camera of fleet.cameras) {
    await orielDoes('launcher', 'install', installationOf(camera), directory, ...flashed);
    await fleet.own(installationOf(camera));
  }
  await fleet.stopCameras();
  for (const camera of fleet.cameras) {
    fleet.willBe(camera, {
      command: ['oriel', 'launcher', 'run', '/installation', '/camera', '--log-level', 'info'],
      mounts: [`${installationOf(camera)}:/installation`],
      pids: PIDS,
    });
  }
  await fleet.startCameras();
}

/**
 * Has the cameras look, and waits until each has reported what became of the release, and records. A good release goes
 * to one camera first, which then changes as on a board of its own; the others share this machine.
 */
async function rollOut({ fleet, say }: Stage, { bundle }: MadeRelease, good: boolean): Promise<Rollout> {
  const { version } = bundle;
  const fromMs = Date.now();
  const reports = new Map<Camera, Report>();
  const settled = (cameras: readonly Camera[]) =>
    until(
      `${cameras.map(({ name }) => name).join(', ')} told what became of ${version}`,
      async () => {
        const told = await fleet.orielDoes('server', 'fleet', SERVER_DIRECTORY, '--json');
        for (const camera of cameras.filter((each) => !reports.has(each))) {
          const report = reportOf(JSON.parse(told) as FleetReleases, camera.id, version);
          if (report === undefined) continue;
          reports.set(camera, report);
          say(`${camera.name}: ${outcomeOf(report)}`);
        }
        return cameras.every((each) => reports.has(each));
      },
      { signal: fleet.signal, patienceMs: PATIENCE_MS },
    );
  const [first] = fleet.cameras;
  if (good && first !== undefined) {
    await ask(fleet, 'ask', '/server', first.id, 'refresh');
    await settled([first]);
    await fleet.records(first);
  }
  await ask(fleet, 'ask-all', '/server', 'refresh');
  await settled(fleet.cameras);
  await Promise.all(fleet.cameras.map((camera) => fleet.records(camera)));
  return { version, good, fromMs, toMs: Date.now(), reports };
}

/** Asks one camera, or all; what is between two connections is asked again. */
async function ask(fleet: Fleet, ...words: readonly string[]): Promise<void> {
  const asks = async () => (await fleet.orielAtServer('server', 'camera', ...words)).code === 0;
  await until(words.join(' '), asks, { signal: fleet.signal, patienceMs: PATIENCE_MS });
}

const outcomeOf = ({ version, event, code }: Report) =>
  `${version} ${event}${code === '' ? '' : ` (${code})`}`;

function findingsOf(
  fleet: Fleet,
  { version, good, fromMs, toMs, reports }: Rollout,
  { segments }: FootageReport,
): Finding[] {
  const changes = fleet.cameras.map((camera) => ({
    camera,
    report: reports.get(camera),
    gap: gapAt(segments, camera.id, fromMs, toMs),
  }));
  const expected = ({ event, code }: Report) =>
    good ? event === 'confirmed' : event === 'returned' && code === 'AGENT_EXITED';
  // Where the source dies too, footage is missing for that as well.
  const fair = changes.flatMap(({ camera, gap }) =>
    gap && camera.film.diesEvery === undefined ? [gap] : [],
  );
  const least = Math.min(...fair.map(({ seconds }) => seconds));
  const segment = Math.max(...fair.map(({ segmentSeconds }) => segmentSeconds));
  const cost = `at best ${least.toFixed(2)} s; a segment is ${segment.toFixed(2)} s`;
  return [
    ...changes.map(({ camera, report, gap }) => {
      if (report === undefined || gap === undefined) {
        return finding(`${camera.name}: no change to ${version} is to be seen`, false);
      }
      const what = `${camera.name}: ${outcomeOf(report)}, ${gap.seconds.toFixed(2)} s without footage`;
      return finding(what, expected(report));
    }),
    good
      ? finding(`${version} costs no more than a segment: ${cost}`, least <= segment)
      : finding(`control: ${version} costs more than a segment: ${cost}`, least > segment),
  ];
}
