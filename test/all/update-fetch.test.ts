import { randomBytes } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { zstdCompressSync } from 'node:zlib';
import { systemClock } from '../../host/clock.ts';
import { systemDisk } from '../../host/disk.ts';
import { DayBudget } from '../../ota/day-budget.ts';
import type { Fetched } from '../../ota/fetch-bundle.ts';
import { planDownloads, wholePath } from '../../ota/transfer-list.ts';
import { type Contents, entryOf } from '../ota/maker.ts';
import type { StaticServer } from '../ota/static-server.ts';
import { TestServer } from '../ota/test-server.ts';

/** The runtime stays, a program of 300 kB changes in one line, an icon of random bytes is new. */
const runtime = randomBytes(900_000);
const program = Array.from({ length: 6_000 }, (_, line) => `const line${line} = ${(line * 7919) % 1e9};`);
const icon = randomBytes(400_000);
const OLD: Contents = { 'bin/node': runtime, 'app/oriel.mjs': program.join('\n') };
const NEW: Contents = {
  'bin/node': runtime,
  'app/oriel.mjs': program.with(3_000, 'console.log("changed");').join('\n'),
  'app/icon': icon,
};
const shaOf = (path: string) => entryOf(path, NEW[path] ?? '').sha256;

const BOMB = zstdCompressSync(Buffer.alloc(1 << 26));

/** On which half a minute is over in a sixth of a second. */
const HASTY = {
  ...systemClock,
  sleep: (ms: number, signal?: AbortSignal) => systemClock.sleep(ms / 200, signal),
};

let testServer: TestServer;
let old: string;
beforeAll(async () => {
  testServer = new TestServer();
  await testServer.begin();
  old = await testServer.release({ contents: OLD, changes: { version: '1.0.0', counter: 1 } });
  await testServer.release({ contents: NEW, changes: { version: '1.1.0', counter: 2 } }, old);
});
afterAll(() => testServer.end());
beforeEach(() => {
  testServer.log.length = 0;
  testServer.server.requests.length = 0;
  testServer.server.answer = () => false;
  rmSync(testServer.incoming, { recursive: true, force: true });
});

async function update(changes = {}): Promise<Fetched> {
  return testServer.fetchFiles(await testServer.fetchDocuments('1.1.0'), [testServer.slot(old)], changes);
}
const outcome = (changes = {}) =>
  update(changes).then(
    () => 'FETCHED',
    (error: { code?: unknown }) => error.code,
  );
/** What the contents of the new bundle lie at is what they are. */
function expectWhole({ sources }: Fetched): void {
  for (const [path, content] of Object.entries(NEW)) {
    expect(readFileSync(sources.get(shaOf(path)) ?? '').equals(Buffer.from(content))).toBe(true);
  }
}
const isFile = (path: string) => path.startsWith('files/') || path.startsWith('deltas/');
const cutOff = (server: StaticServer, share: number) => {
  server.answer = (request, response, path) => {
    if (!path.startsWith('files/')) return false;
    const bytes = readFileSync(join(testServer.repository.directory, path));
    const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
    const end = from + Math.ceil((bytes.length - from) * share);
    const head = { 'content-length': bytes.length - from };
    if (from > 0)
      Object.assign(head, { 'content-range': `bytes ${from}-${bytes.length - 1}/${bytes.length}` });
    response.writeHead(from > 0 ? 206 : 200, head);
    // What is still on its way when a connection breaks is lost; here it arrives.
    response.write(bytes.subarray(from, end), () => setTimeout(() => response.destroy(), 30));
    return true;
  };
};

test('only what changed is fetched, small code as a delta, within the bytes said before', async () => {
  const fetched = await update();
  expectWhole(fetched);
  expect(testServer.server.requests.filter(isFile).map((path) => path.split('/')[0])).toEqual([
    'files',
    'deltas',
  ]);
  const [start] = testServer.log;
  expect(start).toMatchObject({ message: 'fetching the update', fields: { files: 2 } });
  expect(fetched.bytes).toBe(start?.fields.expectedBytes);
  expect(fetched.bytes).toBeLessThan(icon.length + 2_000);
  expect(fetched.sources.get(shaOf('bin/node'))).toBe(join(old, 'files/bin/node'));
  expect(readdirSync(join(testServer.incoming, 'partial'))).toEqual([]);
  testServer.server.requests.length = 0;
  expect((await update()).bytes).toBe(0);
  expect(testServer.server.requests.filter(isFile)).toEqual([]);
});

test('without a slot everything is fetched, and one content of two names once', async () => {
  await testServer.release({
    contents: { 'app/a': 'the same', 'app/b': 'the same' },
    changes: { version: '1.2.0', counter: 3 },
  });
  await testServer.fetchFiles(await testServer.fetchDocuments('1.2.0'));
  expect(testServer.server.requests.filter(isFile)).toHaveLength(1);
});

test('a slot whose file was damaged is not believed', async () => {
  writeFileSync(join(old, 'files/bin/node'), randomBytes(runtime.length));
  const fetched = await update();
  writeFileSync(join(old, 'files/bin/node'), runtime);
  expectWhole(fetched);
  expect(testServer.server.requests).toContain(wholePath(shaOf('bin/node')));
});

describe('a connection', () => {
  test('that breaks again and again is gone on with where it broke', async () => {
    cutOff(testServer.server, 0.7);
    const fetched = await update({ clock: HASTY });
    expectWhole(fetched);
    expect(testServer.server.requests.filter((path) => path.includes(' bytes=')).length).toBeGreaterThan(3);
    expect(fetched.bytes).toBe(testServer.log[0]?.fields.expectedBytes);
  });

  test('that breaks is gone on with after a restart too', async () => {
    const stop = new AbortController();
    cutOff(testServer.server, 0.7);
    const partial = join(testServer.incoming, 'partial', shaOf('app/icon'));
    const watching = setInterval(() => {
      if (existsSync(partial) && readFileSync(partial).length > 0) stop.abort(new Error('killed'));
    }, 1);
    await expect(update({ signal: stop.signal })).rejects.toThrow('killed');
    clearInterval(watching);
    testServer.server.answer = () => false;
    testServer.server.requests.length = 0;
    expectWhole(await update());
    expect(testServer.server.requests.find(isFile)).toMatch(
      new RegExp(`^${wholePath(shaOf('app/icon'))} bytes=[1-9]`),
    );
  });

  test.each<[string, number, Record<string, string>, string]>([
    ['200 and the whole file', 200, {}, 'FETCHED'],
    ['another range', 206, { 'content-range': 'bytes 0-1/2' }, 'FETCH_REFUSED'],
    ['a range of no name', 206, {}, 'FETCH_REFUSED'],
  ])('that answers a range with %s does no harm', async (_, status, head, code) => {
    mkdirSync(join(testServer.incoming, 'partial'), { recursive: true });
    const whole = readFileSync(join(testServer.repository.directory, wholePath(shaOf('app/icon'))));
    writeFileSync(join(testServer.incoming, 'partial', shaOf('app/icon')), whole.subarray(0, 1000));
    testServer.server.answer = (request, response) => {
      if (request.headers.range === undefined) return false;
      response.writeHead(status, head).end(whole);
      return true;
    };
    expect(await outcome()).toBe(code);
    testServer.server.answer = () => false;
    expectWhole(await update());
  });

  test.each<[string, (path: string) => void]>([
    ['wrong', (path) => writeFileSync(path, randomBytes(1000))],
    ['longer than the file', (path) => writeFileSync(path, randomBytes(500_000))],
  ])('to go on with a beginning that is %s ends well at the next attempt', async (_, damage) => {
    mkdirSync(join(testServer.incoming, 'partial'), { recursive: true });
    damage(join(testServer.incoming, 'partial', shaOf('app/icon')));
    await outcome();
    expectWhole(await update());
  });
});

describe('a server that sends', () => {
  const instead = (body: (path: string) => Uint8Array | string, status = 200): StaticServer['answer'] => {
    return (_request, response, path) => {
      if (!path.startsWith('files/')) return false;
      response.writeHead(status).end(body(path));
      return true;
    };
  };
  const creeping = (): StaticServer['answer'] => {
    let share = 0;
    return instead((path) => original(path).subarray(0, ++share * 40_000));
  };
  const original = (path: string) => readFileSync(join(testServer.repository.directory, path));
  const sameLength = (path: string, content: Uint8Array) => {
    const length = original(path).length;
    return Buffer.concat([content, Buffer.alloc(length)]).subarray(0, length);
  };

  test.each<[string, StaticServer['answer'], string]>([
    ['other bytes', instead((path) => randomBytes(original(path).length)), 'FETCH_WRONG'],
    [
      'another file, well compressed',
      instead((path) => sameLength(path, zstdCompressSync(randomBytes(1000)))),
      'FETCH_WRONG',
    ],
    ['a bomb', instead((path) => sameLength(path, BOMB)), 'FETCH_WRONG'],
    ['a byte more', instead((path) => Buffer.concat([original(path), Buffer.alloc(1)])), 'FETCH_ENDLESS'],
    ['nothing of the kind', instead(() => '', 404), 'FETCH_REFUSED'],
    ['somewhere else to go', instead(() => '', 302), 'FETCH_REFUSED'],
    ['an error', instead(() => '', 500), 'FETCH_REFUSED'],
    ['the same beginning, for ever', instead((path) => original(path).subarray(0, 1000)), 'FETCH_BROKEN'],
    ['a little more each time, from the beginning', creeping(), 'FETCH_BUDGET'],
    ['nothing', instead(() => ''), 'FETCH_BROKEN'],
    ['never', (_request, _response, path) => path.startsWith('files/'), 'FETCH_SLOW'],
    [
      'without end',
      (_request, response, path) => {
        if (!path.startsWith('files/')) return false;
        response.writeHead(200);
        const more = () => {
          while (!response.destroyed && response.write(Buffer.alloc(16_384)));
        };
        response.on('drain', more);
        more();
        return true;
      },
      'FETCH_ENDLESS',
    ],
    [
      'a few bytes more on each connection',
      (request, response, path) => {
        if (!path.startsWith('files/')) return false;
        const bytes = original(path);
        const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
        const range = { 'content-range': `bytes ${from}-${bytes.length - 1}/${bytes.length}` };
        response.writeHead(from > 0 ? 206 : 200, from > 0 ? range : {});
        response.write(bytes.subarray(from, from + 100));
        return true;
      },
      'FETCH_SLOW',
    ],
    [
      'a byte now and then',
      (_request, response, path) => {
        if (!path.startsWith('files/')) return false;
        response.writeHead(200);
        const drip = setInterval(() => response.write('x'), 20);
        response.on('close', () => clearInterval(drip));
        return true;
      },
      'FETCH_SLOW',
    ],
  ])('%s is refused by a code, and nothing of it is kept as content', async (_, answer, code) => {
    testServer.server.answer = answer;
    const waits = ['FETCH_SLOW', 'FETCH_BROKEN', 'FETCH_BUDGET'].includes(code);
    expect(await outcome(waits ? { clock: HASTY } : {})).toBe(code);
    expect(readdirSync(join(testServer.incoming, 'files'))).toEqual([]);
    testServer.server.answer = () => false;
    // What it sent before it was cut off may be a wrong beginning: the next attempt finds that out.
    if ((await outcome()) !== 'FETCHED') expectWhole(await update());
  });

  test.each<[string, StaticServer['answer']]>([
    [
      'wrong',
      (_request, response, path) =>
        path.startsWith('deltas/') && Boolean(response.end(sameLength(path, randomBytes(9_000)))),
    ],
    [
      'missing',
      (_request, response, path) => path.startsWith('deltas/') && Boolean(response.writeHead(404).end()),
    ],
  ])('a delta that is %s is answered by fetching the file whole', async (_, answer) => {
    testServer.server.answer = answer;
    expectWhole(await update());
    expect(testServer.log.map(({ message }) => message)).toContain(
      'a delta is of no use; fetching the whole file',
    );
  });

  test('documents that are others is refused', async () => {
    testServer.server.answer = (_request, response, path) => {
      if (!path.endsWith('.bundle.json')) return false;
      response.end(sameLength(path, Buffer.from('{}')));
      return true;
    };
    expect(await outcome()).toBe('FETCH_WRONG');
  });
});

test('what was fetched is looked at again before it is used', async () => {
  const fetched = await update();
  expect(fetched.sources.size).toBeGreaterThan(2);
  truncateSync(fetched.sources.get(shaOf('app/icon')) ?? '', 5);
  expectWhole(await update());
});

describe('the plan', () => {
  const file = (sha256: string, size = 1000) => ({ path: sha256, size, mode: '0644' as const, sha256 });
  const list = {
    format: 'oriel-transfer-1' as const,
    files: [
      { sha256: 'a', bytes: 100 },
      { sha256: 'b', bytes: 200 },
    ],
    deltas: [
      { from: 'x', to: 'a', bytes: 10 },
      { from: 'y', to: 'a', bytes: 5 },
      { from: 'x', to: 'b', bytes: 300 },
    ],
  };
  test.each<[string, string[], number, unknown[], number]>([
    ['everything', [], 1000, ['a', 'b'], 300],
    ['nothing', ['a', 'b'], 1000, [], 0],
    ['one', ['a'], 1000, ['b'], 200],
    ['a delta to what is there', ['x'], 1000, ['x-a', 'b'], 210],
    ['the smaller delta', ['x', 'y'], 1000, ['y-a', 'b'], 205],
    ['no delta of a large file', ['x', 'y'], 5 << 20, ['a', 'b'], 300],
  ])('fetches %s', (_, present, size, names, bytes) => {
    const bundle = { files: [file('a', size), file('b', size)] };
    const { downloads, expectedBytes, limitBytes } = planDownloads(bundle, list, new Set(present));
    expect(downloads.map(({ from, sha256 }) => (from === undefined ? sha256 : `${from}-${sha256}`))).toEqual(
      names,
    );
    expect(expectedBytes).toBe(bytes);
    expect(limitBytes).toBeGreaterThan(bytes);
  });
});

describe('[FC-28b] a server that spoils the last bytes of a file', () => {
  const spoil: StaticServer['answer'] = (_request, response, path) => {
    if (!path.startsWith('files/')) return false;
    const bytes = readFileSync(join(testServer.repository.directory, path));
    bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
    sent += bytes.length;
    response.writeHead(200).end(bytes);
    return true;
  };
  let sent = 0;
  let now = 0;
  const open = () =>
    DayBudget.open(systemDisk, join(testServer.directory, 'fetched.json'), { monotonic: () => now }, LIMITS);
  const LIMITS = { times: 3, atLeastBytes: 0 };

  test('has the camera download no more in a day, over restarts, and the next day it goes on [TM-27]', async () => {
    testServer.server.answer = spoil;
    const codes: unknown[] = [];
    for (let attempt = 0; attempt < 20 && codes.at(-1) !== 'FETCH_DAY'; attempt += 1) {
      const day = await open();
      codes.push(await outcome({ day }));
      await day.keep(true);
    }
    expect(codes.at(-1)).toBe('FETCH_DAY');
    expect(codes.slice(0, -1)).toEqual(codes.slice(0, -1).map(() => 'FETCH_WRONG'));
    const before = sent;
    const day = await open();
    expect(await outcome({ day })).toBe('FETCH_DAY');
    expect(sent).toBe(before);
    testServer.server.answer = () => false;
    now += 24 * 3_600_000;
    expectWhole(await update({ day }));
  });

  test('control: without a budget it downloads the same again and again [TM-27]', async () => {
    testServer.server.answer = spoil;
    const before = sent;
    for (let attempt = 0; attempt < 20; attempt += 1) expect(await outcome()).toBe('FETCH_WRONG');
    expect(sent - before).toBeGreaterThanOrEqual(20 * 400_000);
  });
});
