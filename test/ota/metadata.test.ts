import { mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../host/clock.ts';
import { systemDisk } from '../../host/disk.ts';
import { type MetadataOptions, refreshMetadata } from '../../ota/metadata.ts';
import { readSnapshot, signMetadata, writeMetadata } from '../../ota/tuf-metadata.ts';
import { CrashDisk, type CrashState } from '../faults/crash-disk.ts';
import { type MakerKey, makeKey } from './maker.ts';
import { type Answer, DAY_MS, NOW, serve, signerOf, TufRepository } from './tuf-repository.ts';

/** A camera's metadata directory before a repository on a real server. */
class Camera {
  readonly directory = mkdtempSync(join(tmpdir(), 'oriel-metadata-'));
  readonly trusted = join(this.directory, 'trusted');
  readonly repository: TufRepository;
  readonly shippedRoot: Uint8Array;
  trustedTimeMs = NOW;
  answer: Answer = () => false;

  constructor(repository = new TufRepository()) {
    this.repository = repository;
    this.shippedRoot = repository.root;
  }

  async refresh(changes: Partial<MetadataOptions> = {}) {
    await systemDisk.makeDirectory(this.trusted, 0o700);
    const server = await serve(this.repository, (...asked) => this.answer(...asked));
    try {
      return await refreshMetadata({
        disk: systemDisk,
        clock: systemClock,
        directory: this.trusted,
        shippedRoot: this.shippedRoot,
        scratch: join(this.directory, 'scratch'),
        trustedTimeMs: this.trustedTimeMs,
        get: server.get,
        signal: new AbortController().signal,
        ...changes,
      });
    } finally {
      await server.stop();
    }
  }

  async outcome(changes?: Partial<MetadataOptions>): Promise<unknown> {
    return this.refresh(changes).then(
      () => 'ACCEPTED',
      (error: { code?: unknown }) => error.code,
    );
  }

  /** Version of each document trusted now. */
  versions(): Record<string, number> {
    const entries = readdirSync(this.trusted).map((name) => {
      const { signed } = JSON.parse(readFileSync(join(this.trusted, name), 'utf8'));
      return [name.replace('.json', ''), signed.version];
    });
    return Object.fromEntries(entries);
  }
}

/** On which half a minute is over in a third of a second. */
const HASTY = { sleep: (ms: number, signal?: AbortSignal) => systemClock.sleep(ms / 100, signal) };

const cameras: Camera[] = [];
function camera(repository?: TufRepository): Camera {
  const made = new Camera(repository);
  cameras.push(made);
  return made;
}
afterEach(() => {
  for (const { directory } of cameras.splice(0)) rmSync(directory, { recursive: true });
});

test('what is signed is accepted, kept, and asked for no more than needed', async () => {
  const one = camera();
  one.repository.addTarget('a.json', 'content', { percentage: 5 });
  one.repository.publish();
  const { targets } = await one.refresh();
  expect(targets['a.json']?.custom).toEqual({ percentage: 5 });
  expect(one.versions()).toEqual({ root: 1, timestamp: 2, snapshot: 2, targets: 2 });
  expect(one.repository.requests).toEqual([
    'metadata/2.root.json',
    'metadata/timestamp.json',
    'metadata/2.snapshot.json',
    'metadata/2.targets.json',
  ]);
  one.repository.requests.length = 0;
  expect((await one.refresh()).targets['a.json']?.length).toBe(7);
  expect(one.repository.requests).toEqual(['metadata/2.root.json', 'metadata/timestamp.json']);
  expect(readdirSync(join(one.directory, 'scratch'))).toEqual([]);
});

describe('a thief with the repository', () => {
  const unsigned = (json: { signatures: unknown[] }) => {
    json.signatures = [];
  };
  test.each<[string, (repository: TufRepository) => void, string]>([
    ['changes nothing', () => undefined, 'ACCEPTED'],
    ['takes the signatures away', (r) => r.bend('metadata/2.targets.json', unsigned), 'METADATA_MIXED'],
    [
      'takes those of the timestamp away',
      (r) => r.bend('metadata/timestamp.json', unsigned),
      'METADATA_UNSIGNED',
    ],
    [
      'signs with one key of two',
      (r) => r.publish({ targets: r.keys.targets.slice(0, 1) }),
      'METADATA_UNSIGNED',
    ],
    ['signs with own keys', (r) => r.publish({ targets: [makeKey(), makeKey()] }), 'METADATA_UNSIGNED'],
    ['signs with the online key', (r) => r.publish({ targets: r.keys.timestamp }), 'METADATA_UNSIGNED'],
    [
      'counts one signature twice',
      (r) =>
        r.bend('metadata/timestamp.json', (json) => {
          json.signatures = [...json.signatures, ...json.signatures];
        }),
      'METADATA_MALFORMED',
    ],
    [
      'serves old targets under the new snapshot',
      (r) =>
        r.files.set('metadata/2.targets.json', r.files.get('metadata/1.targets.json') ?? Buffer.alloc(0)),
      'METADATA_MIXED',
    ],
    [
      'serves an old snapshot under the new timestamp',
      (r) =>
        r.files.set('metadata/2.snapshot.json', r.files.get('metadata/1.snapshot.json') ?? Buffer.alloc(0)),
      'METADATA_MIXED',
    ],
    [
      'raises the percentage for one camera',
      (r) =>
        r.bend('metadata/2.targets.json', (json) => {
          Object.assign(json.signed.targets ?? {}, { 'a.json': { length: 1, hashes: { sha256: 'x' } } });
        }),
      'METADATA_MIXED',
    ],
    ['takes the timestamp away', (r) => r.files.delete('metadata/timestamp.json'), 'FETCH_REFUSED'],
    ['takes the targets away', (r) => r.files.delete('metadata/2.targets.json'), 'FETCH_REFUSED'],
    ['serves rubbish', (r) => r.files.set('metadata/timestamp.json', Buffer.from('{')), 'METADATA_MALFORMED'],
    ['serves no TUF', (r) => r.files.set('metadata/timestamp.json', Buffer.from('[]')), 'METADATA_MALFORMED'],
    [
      'serves a megabyte',
      (r) => r.files.set('metadata/timestamp.json', Buffer.alloc(1 << 20)),
      'FETCH_ENDLESS',
    ],
  ])('%s', async (_, act, code) => {
    const one = camera();
    one.repository.publish();
    act(one.repository);
    expect(await one.outcome()).toBe(code);
  });

  test('replays what was true once', async () => {
    const one = camera();
    const first = one.repository.keep();
    one.repository.publish();
    await one.refresh();
    one.repository.serve(first);
    expect(await one.outcome()).toBe('METADATA_OUTDATED');
    expect(one.versions()).toEqual({ root: 1, timestamp: 2, snapshot: 2, targets: 2 });
  });

  test('names an older snapshot in a newer timestamp, with the online key', async () => {
    const one = camera();
    const { repository } = one;
    const snapshot = Buffer.from(repository.files.get('metadata/1.snapshot.json') ?? '');
    repository.publish();
    await one.refresh();
    repository.versions.snapshot = 1;
    repository.publishTimestamp(snapshot);
    expect(await one.outcome()).toBe('METADATA_OUTDATED');
  });

  test('names older targets in a newer snapshot, with the online key', async () => {
    const one = camera();
    const { repository } = one;
    const targets = Buffer.from(repository.files.get('metadata/1.targets.json') ?? '');
    repository.publish();
    await one.refresh();
    repository.versions.targets = 1;
    repository.publishTimestamp(repository.publishSnapshot(targets));
    expect(await one.outcome()).toBe('METADATA_OUTDATED');
    expect(one.versions().targets).toBe(2);
  });

  test('leaves the hashes out and says so, with the online key', async () => {
    const one = camera();
    const { repository } = one;
    const snapshot = JSON.parse(
      Buffer.from(repository.files.get('metadata/1.snapshot.json') ?? '').toString(),
    );
    snapshot.signed.meta['targets.json'].hashes = {};
    const [online = makeKey()] = repository.keys.snapshot;
    const metadata = readSnapshot(Buffer.from(JSON.stringify(snapshot)));
    metadata.signatures = {};
    const bytes = writeMetadata(signMetadata(metadata, [signerOf(online)]));
    repository.files.set('metadata/1.snapshot.json', bytes);
    repository.publishTimestamp(bytes);
    expect(await one.outcome()).toBe('METADATA_MALFORMED');
  });

  test('sends without end', async () => {
    const one = camera();
    one.answer = (_request, response) => {
      response.writeHead(200);
      const more = () => {
        while (!response.destroyed && response.write(Buffer.alloc(16_384)));
      };
      response.on('drain', more);
      more();
      return true;
    };
    expect(await one.outcome()).toBe('FETCH_ENDLESS');
  });

  test.each<[string, Answer]>([
    ['answers never', () => true],
    [
      'sends a byte and no more',
      (_request, response) => {
        response.writeHead(200).write('{');
        return true;
      },
    ],
  ])('%s', async (_, answer) => {
    const one = camera();
    one.answer = answer;
    expect(await one.outcome({ clock: HASTY })).toBe('FETCH_SLOW');
  });

  test('breaks off', async () => {
    const one = camera();
    one.answer = (_request, response) => {
      response.writeHead(200, { 'content-length': 1000 }).write('{', () => response.destroy());
      return true;
    };
    expect(await one.outcome()).toBe('FETCH_BROKEN');
  });
});

describe('time', () => {
  test.each<[string, number, string]>([
    ['before the end', NOW + 14 * DAY_MS - 1000, 'ACCEPTED'],
    ['at the end', NOW + 14 * DAY_MS, 'METADATA_EXPIRED'],
    ['long before it was made', 0, 'ACCEPTED'],
    ['long after', NOW + 10_000 * DAY_MS, 'METADATA_EXPIRED'],
  ])('%s, by trusted time and whatever the machine says', async (_, trustedTimeMs, outcome) => {
    const one = camera();
    one.trustedTimeMs = trustedTimeMs;
    expect(await one.outcome()).toBe(outcome);
  });

  test('tells a frozen repository, and lets a thawed one in', async () => {
    const one = camera();
    await one.refresh();
    one.trustedTimeMs = NOW + 15 * DAY_MS;
    expect(await one.outcome()).toBe('METADATA_EXPIRED');
    one.repository.expires.timestamp += 30 * DAY_MS;
    one.repository.expires.snapshot += 30 * DAY_MS;
    one.repository.publish();
    expect(await one.outcome()).toBe('ACCEPTED');
  });

  test.each<[string, Answer]>([
    ['answers with errors', (_request, response) => Boolean(response.writeHead(404).end())],
    ['ends every connection', (_request, response) => Boolean(response.destroy())],
  ])('tells that updates are withheld by who %s', async (_, answer) => {
    const one = camera();
    await one.refresh();
    one.answer = answer;
    expect(await one.outcome()).toMatch(/^FETCH_/);
    one.trustedTimeMs = NOW + 15 * DAY_MS;
    expect(await one.outcome()).toBe('METADATA_EXPIRED');
    one.answer = () => false;
    one.repository.expires.timestamp += 30 * DAY_MS;
    one.repository.expires.snapshot += 30 * DAY_MS;
    one.repository.publish();
    expect(await one.outcome()).toBe('ACCEPTED');
  });

  test.each(['targets', 'snapshot', 'root'] as const)('is up for %s alone', async (role) => {
    const one = camera();
    one.repository.expires[role] = NOW - DAY_MS;
    if (role === 'root') one.repository.publishRoot();
    one.repository.publish();
    expect(await one.outcome()).toBe('METADATA_EXPIRED');
    expect(one.versions().root).toBe(role === 'root' ? 2 : 1);
  });
});

describe('[FC-41] an end that is no date is refused, though it is signed', () => {
  const ends = ['2032-02-30T00:00:00Z', '2032-01-01', '1 Jan 2032', '2032-01-01T00:00:00+00:00'];
  test.each(['targets', 'snapshot', 'timestamp', 'root'] as const)('of %s', async (role) => {
    for (const end of ends) {
      const one = camera();
      expect(await one.outcome()).toBe('ACCEPTED');
      one.repository.written[role] = end;
      if (role === 'root') one.repository.publishRoot();
      one.repository.publish();
      expect(await one.outcome()).toBe('METADATA_MALFORMED');
      expect(one.versions()[role]).toBe(1);
      one.repository.written[role] = '2032-02-29T00:00:00Z';
      if (role === 'root') one.repository.publishRoot(one.repository.keys.root, one.repository.versions.root);
      one.repository.publish();
      expect(await one.outcome()).toBe('ACCEPTED');
    }
  });
});

describe('keys', () => {
  test('are rotated through every root in between, once the old and the new have signed [KEY-21 rotated]', async () => {
    const one = camera();
    const { repository } = one;
    await one.refresh();
    for (let round = 0; round < 3; round++) {
      const before = repository.keys.root;
      repository.keys.root = [makeKey(), makeKey()];
      repository.publishRoot([...before, ...repository.keys.root]);
    }
    repository.keys.targets = [makeKey(), makeKey()];
    repository.keys.timestamp = repository.keys.snapshot = [makeKey()];
    repository.publishRoot();
    repository.publish();
    expect(await one.outcome()).toBe('ACCEPTED');
    expect(one.versions()).toEqual({ root: 5, timestamp: 2, snapshot: 2, targets: 2 });
  });

  test.each<[string, (repository: TufRepository, before: readonly MakerKey[]) => void, string]>([
    ['new keys alone', (r) => r.publishRoot(), 'METADATA_UNSIGNED'],
    ['old keys alone', (r, before) => r.publishRoot(before), 'METADATA_UNSIGNED'],
    [
      'one old and all new',
      (r, [old]) => r.publishRoot([old ?? makeKey(), ...r.keys.root]),
      'METADATA_UNSIGNED',
    ],
    [
      'a version left out',
      (r, before) => {
        r.publishRoot([...before, ...r.keys.root], 3);
        r.files.set('metadata/2.root.json', r.root);
      },
      'METADATA_OUTDATED',
    ],
  ])('are not rotated by %s [KEY-21 rotated]', async (_, rotate, code) => {
    const one = camera();
    await one.refresh();
    const before = one.repository.keys.root;
    one.repository.keys.root = [makeKey(), makeKey()];
    rotate(one.repository, before);
    expect(await one.outcome()).toBe(code);
    expect(one.versions().root).toBe(1);
  });

  test('of the online machine, stolen and used to run ahead, keep nothing from a camera once they are replaced [KEY-23 rotated]', async () => {
    const one = camera();
    const { repository } = one;
    await one.refresh();
    const honest = { ...repository.versions };
    repository.versions.snapshot = repository.versions.timestamp = 1_000_000;
    repository.publishTimestamp(repository.publishSnapshot(repository.publishTargets()));
    expect(await one.outcome()).toBe('ACCEPTED');
    Object.assign(repository.versions, honest, { targets: repository.versions.targets });
    repository.publish();
    expect(await one.outcome()).toBe('METADATA_OUTDATED');
    repository.keys.timestamp = repository.keys.snapshot = [makeKey()];
    repository.publishRoot();
    repository.publish();
    expect(await one.outcome()).toBe('ACCEPTED');
    expect(one.versions()).toMatchObject({ root: 2, timestamp: 3, snapshot: 3 });
  });

  test('that were rotated away sign nothing any more [KEY-22 revoked]', async () => {
    const one = camera();
    const { repository } = one;
    const stolen = repository.keys.targets;
    repository.keys.targets = [makeKey(), makeKey()];
    repository.publishRoot();
    repository.publish();
    await one.refresh();
    repository.publish({ targets: stolen });
    expect(await one.outcome()).toBe('METADATA_UNSIGNED');
    expect(one.versions().targets).toBe(2);
  });
});

describe('a trusted file', () => {
  const damage: [string, (path: string) => void][] = [
    ['cut', (path) => truncateSync(path, 40)],
    ['empty', (path) => truncateSync(path, 0)],
    ['rubbish', (path) => writeFileSync(path, Buffer.alloc(4096, 0xff))],
    ['gone', (path) => rmSync(path)],
    ['huge', (path) => writeFileSync(path, Buffer.alloc(2 << 20, '{'))],
  ];
  const files = ['root.json', 'timestamp.json', 'snapshot.json', 'targets.json'];
  test.each(files.flatMap((file) => damage.map(([name, act]) => ({ file, name, act }))))(
    '$file that is $name stops nothing',
    async ({ file, act }) => {
      const one = camera();
      one.repository.publishRoot();
      one.repository.publish();
      await one.refresh();
      const before = one.versions();
      act(join(one.trusted, file));
      expect(await one.outcome()).toBe('ACCEPTED');
      expect(one.versions()).toEqual(before);
    },
  );

  test('is whole after a crash at any write, and what it tells is taken up again [KEY-16 rotated]', async () => {
    const one = camera();
    const states: CrashState[] = [];
    const disk = new CrashDisk({ onCall: (call) => states.push(...call.states) });
    disk.place('/trusted');
    const options = { disk, directory: '/trusted' };
    await one.refresh(options);
    one.repository.publishRoot();
    one.repository.publish();
    states.length = 0;
    await one.refresh(options);
    expect(states.length).toBeGreaterThan(15);
    for (const state of states) {
      for (const crash of ['killed', 'power cut', 1] as const) {
        expect(await one.outcome({ ...options, disk: state.reboot(crash) })).toBe('ACCEPTED');
      }
    }
  });
});
