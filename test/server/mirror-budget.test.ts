import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import { mirrorText } from '../../cli/server/updates-text.ts';
import { systemClock } from '../../host/clock.ts';
import { systemDisk } from '../../host/disk.ts';
import { DayBudget } from '../../ota/day-budget.ts';
import { layRequest } from '../../server/updates/layout.ts';
import { UpdatesMirror } from '../../server/updates/updates-mirror.ts';
import { until } from '../e2e/until.ts';
import { type Answer, ICON_FILE, MirrorDeployment } from './mirror-deployment.ts';

/** A maker's web server that spoils the last byte of what it sends, again and again. */

const deployment = new MirrorDeployment();
const agent = randomBytes(50_000);
let sent = 0;

beforeAll(async () => {
  deployment.maker.nowMs = Date.now();
  await deployment.begin();
  await deployment.release(agent);
  await deployment.release(Buffer.concat([agent, Buffer.from('more')]), true);
  await deployment.check();
});
afterAll(() => deployment.end());
beforeEach(() => {
  sent = 0;
});
afterEach(() => deployment.answerWith(() => false));

const spoil =
  (which: RegExp): Answer =>
  (_, response, path) => {
    if (!which.test(path)) return false;
    const bytes = deployment.bytesOf(path);
    bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
    sent += 1;
    response.writeHead(200).end(bytes);
    return true;
  };
const DELTAS = /^deltas\//;
const FILES = /^files\//;

describe('[FC-28b] a delta that is wrong', () => {
  beforeEach(() => {
    deployment.lose(DELTAS);
    deployment.answerWith(spoil(DELTAS));
  });

  test('is not fetched again before the targets are signed anew', async () => {
    const { edition, refusedDeltas } = await deployment.check();
    expect([refusedDeltas, sent]).toEqual([[expect.stringMatching(DELTAS)], 1]);
    const refused = { targets: edition.versions.targets, deltas: refusedDeltas };
    expect(await deployment.check({ refused })).toMatchObject({ refusedDeltas, fetchedBytes: 0 });
    expect(sent).toBe(1);
    await deployment.promote(90);
    expect(await deployment.check({ refused })).toMatchObject({ refusedDeltas });
    expect(sent).toBe(2);
    deployment.answerWith(() => false);
    await deployment.promote(100);
    expect(await deployment.check({ refused })).toMatchObject({ refusedDeltas: [] });
    expect(deployment.names.some((name) => DELTAS.test(name))).toBe(true);
  });

  test('control: without what was refused it is fetched at every check', async () => {
    for (let n = 0; n < 5; n++) await deployment.check();
    expect(sent).toBe(5);
    deployment.answerWith(() => false);
    await deployment.check();
  });

  test('is shown in the state, and a restart does not forget it', async () => {
    for (const id of ['a'.repeat(16), 'b'.repeat(16)]) {
      const mirror = await run();
      await layRequest(systemDisk, deployment.places.request, id);
      await until('the check is done', () => mirror.state.answered === id);
      expect(mirror.state).toMatchObject({ failure: null, edition: { refusedDeltas: [expect.anything()] } });
      expect(mirrorText(mirror.state, Date.now())).toContain(
        '  1 deltas are not what the maker signed: cameras take the whole files',
      );
      await mirror.stop();
    }
    expect(sent).toBe(1);
    deployment.answerWith(() => false);
    await deployment.check();
  });

  test('and a day that is used up leave it out, and cameras are given the new edition', async () => {
    await deployment.promote(80);
    const day = { left: () => 0, take: async () => undefined };
    expect(await deployment.check({ day })).toMatchObject({ isNews: true, refusedDeltas: [] });
    expect(sent).toBe(0);
    deployment.answerWith(() => false);
    await deployment.check();
  });
});

describe('[FC-28b] a file that is wrong', () => {
  const LIMITS = { times: 3, atLeastBytes: 0 };
  let now = 0;
  const open = () => DayBudget.open(systemDisk, deployment.places.fetched, { monotonic: () => now }, LIMITS);

  beforeEach(() => {
    rmSync(deployment.places.fetched, { force: true });
    deployment.lose(ICON_FILE);
    deployment.answerWith(spoil(FILES));
  });

  test('uses up the bytes of a day, over restarts, and the day after it goes on', async () => {
    const codes: unknown[] = [];
    for (let n = 0; n < 20 && codes.at(-1) !== 'FETCH_DAY'; n++) {
      const day = await open();
      codes.push(await deployment.outcome({ day }));
      await day.keep(true);
    }
    expect([codes.slice(0, 3), codes.at(-1)]).toEqual([Array(3).fill('FETCH_WRONG'), 'FETCH_DAY']);
    const before = sent;
    expect(await deployment.outcome({ day: await open() })).toBe('FETCH_DAY');
    expect(sent).toBe(before);
    deployment.answerWith(() => false);
    const day = await open();
    now += 24 * 3_600_000;
    expect(await deployment.outcome({ day })).toBe('FOLLOWED');
  });

  test('control: without a budget it is fetched at every check', async () => {
    for (let n = 0; n < 20; n++) expect(await deployment.outcome()).toBe('FETCH_WRONG');
    expect(sent).toBe(20);
    deployment.answerWith(() => false);
    await deployment.check();
  });
});

async function run(): Promise<UpdatesMirror> {
  const { get, limits, log } = deployment.options();
  const opened = await UpdatesMirror.open({
    directory: deployment.directory,
    from: deployment.maker.server.url,
    get,
    givenRoot: undefined,
    installationRoot: undefined,
    announce: async () => undefined,
    limits,
    disk: systemDisk,
    clock: systemClock,
    random: () => 1,
    log,
  });
  opened.start();
  return opened;
}
