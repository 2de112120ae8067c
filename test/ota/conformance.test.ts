import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { makeKey } from './maker.ts';
import { DAY_MS, iso, serve, TufRepository } from './tuf-repository.ts';

/** The conformance client as the suite starts it: a process for each command. */

const CLIENT = resolve(import.meta.dirname, '../tuf-conformance/client');
const directory = mkdtempSync(join(tmpdir(), 'oriel-conformance-'));
afterAll(() => rmSync(directory, { recursive: true }));

function client(...args: string[]): Promise<number> {
  return run(CLIENT, args);
}

function run(command: string, args: string[]): Promise<number> {
  return new Promise((done) => {
    execFile(command, args, (error) => done(error === null ? 0 : Number(error.code ?? -1)));
  });
}

test('[FC-46] the protocol: init, refresh, download, each of several targets, from the cache too, and 1 for every failure', async () => {
  const repository = new TufRepository();
  for (const role of ['root', 'targets', 'snapshot', 'timestamp'] as const) {
    repository.expires[role] = Date.now() + 30 * DAY_MS;
  }
  repository.publishRoot(repository.keys.root, 1);
  repository.addTarget('dir/a b.txt', 'one');
  for (const name of ['b', 'c', 'd', 'e']) repository.addTarget(`${name}.txt`, name);
  repository.publish();
  const server = await serve(repository);
  const trusted = join(directory, 'metadata');
  const targets = join(directory, 'targets');
  const root = join(directory, 'initial.json');
  writeFileSync(root, repository.root);
  const at = ['--metadata-dir', trusted];
  const from = [...at, '--metadata-url', `${server.url}metadata`];
  const fetch = (name: string) => [
    ...from,
    '--target-name',
    name,
    '--target-dir',
    targets,
    '--target-base-url',
    `${server.url}targets`,
    'download',
  ];
  try {
    expect(await client(...at, 'init', join(directory, 'absent'))).toBe(1);
    expect(await client(...at, 'init', root)).toBe(0);
    expect(repository.requests).toEqual([]);
    expect(await client(...from, 'refresh')).toBe(0);
    expect(repository.requests).toEqual([
      'metadata/2.root.json',
      'metadata/timestamp.json',
      'metadata/2.snapshot.json',
      'metadata/2.targets.json',
    ]);
    expect(readdirSync(trusted).filter((name) => name.endsWith('.json'))).toEqual([
      'root.json',
      'snapshot.json',
      'targets.json',
      'timestamp.json',
    ]);
    for (const name of ['timestamp', '2.targets'] as const) {
      const kept = join(trusted, `${name.replace('2.', '')}.json`);
      expect(
        readFileSync(kept).equals(repository.files.get(`metadata/${name}.json`) ?? Buffer.alloc(0)),
      ).toBe(true);
    }
    expect(await client(...fetch('dir/a b.txt'))).toBe(0);
    const [stored = ''] = readdirSync(targets);
    expect(readFileSync(join(targets, stored), 'utf8')).toBe('one');
    repository.requests.length = 0;
    expect(await client(...fetch('dir/a b.txt'))).toBe(0);
    expect(repository.requests.filter((path) => path.startsWith('targets/'))).toEqual([]);
    expect(await client(...fetch('absent'))).toBe(1);
    // [FC-46] Each name of several has its turn, wherever the one stands that fails.
    repository.requests.length = 0;
    const several = (...names: string[]) => [
      ...names.slice(0, -1).flatMap((name) => ['--target-name', name]),
      ...fetch(names.at(-1) ?? ''),
    ];
    expect(await client(...several('b.txt', 'c.txt'))).toBe(0);
    expect(await client(...several('absent', 'd.txt'))).toBe(1);
    expect(await client(...several('e.txt', 'absent'))).toBe(1);
    const asked = repository.requests.filter((path) => path.startsWith('targets/'));
    expect(asked.map((path) => path.split('.').slice(1).join('.'))).toEqual([
      'b.txt',
      'c.txt',
      'd.txt',
      'e.txt',
    ]);
    expect(readdirSync(targets)).toEqual(expect.arrayContaining(['b.txt', 'c.txt', 'd.txt', 'e.txt']));
    // By the clock that the suite turns: before the end of a month, and after.
    const inDays = (days: number) =>
      iso(Date.now() + days * DAY_MS)
        .replace('T', ' ')
        .replace('Z', '+00:00');
    expect(await run('faketime', [inDays(18), CLIENT, ...from, 'refresh'])).toBe(0);
    expect(await run('faketime', [inDays(31), CLIENT, ...from, 'refresh'])).toBe(1);
    repository.publish({ targets: [makeKey(), makeKey()] });
    expect(await client(...from, 'refresh')).toBe(1);
    expect(await client('refresh')).toBe(1);
  } finally {
    await server.stop();
  }
});
