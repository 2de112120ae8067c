import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { readFileBounded, writeFileAtomic } from '../../host/atomic-file.ts';
import { type DiskFile, systemDisk as disk } from '../../host/disk.ts';
import { type Call, type Crash, CrashDisk } from '../faults/crash-disk.ts';

const root = mkdtempSync(join(tmpdir(), 'oriel-disk-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
let files = 0;
const fresh = () => join(root, String(++files));
const bytes = (text: string) => new TextEncoder().encode(text);

describe('what is absent or there already is an answer', () => {
  test('files', async () => {
    const path = fresh();
    expect(await disk.open(path, 'read')).toBeUndefined();
    expect(await disk.open(path, 'write')).toBeUndefined();
    expect(await disk.stat(path)).toBeUndefined();
    expect(await disk.unlink(path)).toBe(false);
    await ((await disk.create(path, 0o600)) as DiskFile).close();
    expect(await disk.create(path, 0o600)).toBeUndefined();
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(await disk.stat(path)).toEqual({ bytes: 0, directory: false });
    expect(await disk.open(join(path, 'below'), 'read')).toBeUndefined();
    expect(await disk.unlink(path)).toBe(true);
  });

  test('directories', async () => {
    const path = fresh();
    expect(await disk.list(path)).toBeUndefined();
    expect(await disk.removeDirectory(path)).toBe(false);
    expect(await disk.makeDirectory(path, 0o700)).toBe(true);
    expect(await disk.makeDirectory(path, 0o700)).toBe(false);
    expect(statSync(path).mode & 0o777).toBe(0o700);
    for (const name of ['b', 'a']) writeFileSync(join(path, name), '');
    expect(await disk.list(path)).toEqual(['a', 'b']);
    expect(await disk.removeDirectory(path)).toBe(false);
    expect((await disk.stat(path))?.directory).toBe(true);
    await disk.syncDirectory(path);
    for (const name of ['a', 'b']) await disk.unlink(join(path, name));
    expect(await disk.removeDirectory(path)).toBe(true);
  });
});

test('a file has the mode that it was given, under a umask too that keeps others from all else', async () => {
  const before = process.umask(0o077);
  try {
    for (const mode of [0o600, 0o644]) {
      const path = fresh();
      await writeFileAtomic(disk, path, bytes('public, or not'), mode);
      expect(statSync(path).mode & 0o777).toBe(mode);
    }
  } finally {
    process.umask(before);
  }
});

test('bytes are written and read in their place, to the end of the file', async () => {
  const path = fresh();
  const file = (await disk.create(path, 0o600)) as DiskFile;
  await file.write(bytes('hello world'), 0);
  await file.write(bytes('W'), 6);
  await file.write(bytes('!'), 13);
  await file.sync();
  expect(await file.size()).toBe(14);
  expect(Buffer.from(await file.read(100, 6)).toString()).toBe('World\0\0!');
  expect((await file.read(5, 100)).length).toBe(0);
  await file.truncate(5);
  await file.close();
  expect(readFileSync(path, 'utf8')).toBe('hello');
  const reader = (await disk.open(path, 'read')) as DiskFile;
  await expect(reader.write(bytes('x'), 0)).rejects.toMatchObject({
    code: 'DISK_IO',
    cause: { code: 'EBADF' },
  });
  await reader.close();
});

test('free space is what an unprivileged process may still use', async () => {
  const [, line] = execFileSync('df', ['--output=avail', '-B1', root], { encoding: 'utf8' }).split('\n');
  const free = await disk.freeBytes(root);
  expect(Math.abs(free - Number(line))).toBeLessThan(2 ** 30);
});

describe('failures keep the platform’s own error', () => {
  test.each<[string, () => Promise<unknown>, string]>([
    ['rename', () => disk.rename(fresh(), fresh()), 'ENOENT'],
    ['create', () => disk.create(join(fresh(), 'below'), 0o600), 'ENOENT'],
    ['makeDirectory', () => disk.makeDirectory(join(fresh(), 'below'), 0o700), 'ENOENT'],
    ['syncDirectory', () => disk.syncDirectory(fresh()), 'ENOENT'],
    ['freeBytes', () => disk.freeBytes(fresh()), 'ENOENT'],
    ['unlink', () => disk.unlink(root), 'EISDIR'],
  ])('%s', async (_, operation, code) => {
    await expect(operation()).rejects.toMatchObject({ name: 'HostError', code: 'DISK_IO', cause: { code } });
  });

  test('a full disk is told from a broken one', async () => {
    const file = (await disk.open('/dev/full', 'write')) as DiskFile;
    await expect(file.write(bytes('x'), 0)).rejects.toMatchObject({
      code: 'DISK_FULL',
      cause: { code: 'ENOSPC' },
    });
    await file.close();
  });
});

/** Runs a script with our disk under strace, which breaks chosen system calls. */
function underStrace(inject: string, script: string): string {
  const host = join(import.meta.dirname, '../../host/disk.ts');
  const code = `import { systemDisk as disk } from ${JSON.stringify(host)};\n${script}`;
  const args = [
    '-f',
    '-qq',
    '-o',
    '/dev/null',
    '-e',
    inject,
    process.execPath,
    '--input-type=module-typescript',
  ];
  const env = { ...process.env, UV_THREADPOOL_SIZE: '1', NODE_OPTIONS: '' };
  return execFileSync('strace', [...args, '-e', code], { encoding: 'utf8', env });
}

test('a write that the system does in part is completed', () => {
  const path = fresh();
  // A file that may not grow beyond 4 KiB takes the part that fits; then the limit is lifted.
  const script = `
    import { execFileSync } from 'node:child_process';
    process.on('SIGXFSZ', () => undefined);
    const limit = (size) => execFileSync('prlimit', ['--pid', String(process.pid), '--fsize=' + size + ':unlimited']);
    const file = await disk.create(${JSON.stringify(path)}, 0o600);
    limit(4096);
    const failure = await file.write(new Uint8Array(10_000).fill(7), 0).catch((error) => error);
    console.log(await file.size(), failure.code, failure.cause.code);
    limit('unlimited');
    await file.write(new Uint8Array(10_000).fill(7), 0);
    console.log(await file.size());
    await file.close();`;
  expect(underStrace('trace=none', script)).toBe('4096 DISK_IO EFBIG\n10000\n');
  expect(readFileSync(path).equals(Buffer.alloc(10_000, 7))).toBe(true);
});

test.each([
  ['fdatasync', 'EIO', 'file.sync()', 'DISK_IO'],
  ['pwrite64', 'ENOSPC', 'file.write(Uint8Array.of(1), 0)', 'DISK_FULL'],
  ['pwrite64', 'EDQUOT', 'file.write(Uint8Array.of(1), 0)', 'DISK_FULL'],
  ['pwrite64', 'EROFS', 'file.write(Uint8Array.of(1), 0)', 'DISK_IO'],
  ['ftruncate', 'EIO', 'file.truncate(0)', 'DISK_IO'],
  ['fsync', 'EIO', 'disk.syncDirectory("/")', 'DISK_IO'],
])('%s failing with %s in the system', (call, errno, operation, code) => {
  const script = `
    const file = await disk.create(${JSON.stringify(fresh())}, 0o600);
    const failure = await ${operation}.catch((error) => error);
    console.log(failure.code, -failure.cause.errno);
    await file.close();`;
  const number = constants.errno[errno as 'EIO'];
  expect(underStrace(`inject=${call}:error=${errno}`, script)).toBe(`${code} ${number}\n`);
});

describe('writeFileAtomic', () => {
  test('replaces the content and sets the mode, and leaves nothing beside it', async () => {
    const dir = fresh();
    mkdirSync(dir);
    const path = join(dir, 'file');
    writeFileSync(path, 'old');
    chmodSync(path, 0o644);
    writeFileSync(`${path}.tmp`, 'left over from a crash');
    await writeFileAtomic(disk, path, bytes('new'), 0o600);
    expect(readdirSync(dir)).toEqual(['file']);
    expect(readFileSync(path, 'utf8')).toBe('new');
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  test('stopped before any call, leaves the whole old content or the whole new; afterwards the new', async () => {
    const contentsAfter = async (ignore: (name: string) => boolean) => {
      const calls: Call[] = [];
      const crashing = new CrashDisk({ onCall: (call) => calls.push(call), ignore });
      crashing.place('/file', bytes('old content'));
      await writeFileAtomic(crashing, '/file', bytes('the new content'), 0o600);
      const contents = new Set<string>();
      const note = (crash: Crash, state = crashing.state) =>
        contents.add(Buffer.from(state.after(crash).files.get('/file') ?? []).toString());
      const crashes: Crash[] = ['killed', 'power cut', 1, 2, 3, 4, 5, 6, 7, 8];
      for (const { states } of calls) {
        for (const state of states) for (const crash of crashes) note(crash, state);
      }
      const final = crashes.map(
        (crash) => note(crash) && crashing.state.after(crash).files.get('/file')?.length,
      );
      return { contents: [...contents].sort(), durable: final.every((length) => length === 15) };
    };
    expect(await contentsAfter(() => false)).toEqual({
      contents: ['old content', 'the new content'],
      durable: true,
    });
    const unsynced = await contentsAfter((name) => name === 'sync');
    expect(unsynced.contents.length).toBeGreaterThan(2);
    expect((await contentsAfter((name) => name === 'sync directory')).durable).toBe(false);
  });

  test('small files are read back, longer ones than allowed are not', async () => {
    const path = fresh();
    expect(await readFileBounded(disk, path, 3)).toBeUndefined();
    writeFileSync(path, 'abc');
    expect(await readFileBounded(disk, path, 3)).toEqual(bytes('abc'));
    expect(await readFileBounded(disk, path, 2)).toBeUndefined();
  });
});
