import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { lockDirectory } from '../../server/storage/directory-lock.ts';

const room = mkdtempSync(join(tmpdir(), 'oriel-lock-'));
afterAll(() => rmSync(room, { recursive: true }));
const at = (name: string) => join(room, name);

test('one lock at a time, by whatever name; closed, it is free', async () => {
  mkdirSync(at('house'));
  symlinkSync(at('house'), at('link'));
  const lock = await lockDirectory(at('house'));
  for (const name of ['house', 'link', './house/../house']) {
    await expect(lockDirectory(at(name))).rejects.toMatchObject({ code: 'DIRECTORY_IN_USE' });
  }
  renameSync(at('house'), at('moved'));
  await expect(lockDirectory(at('moved'))).rejects.toMatchObject({ code: 'DIRECTORY_IN_USE' });
  mkdirSync(at('other'));
  (await lockDirectory(at('other'))).release();
  lock.release();
  (await lockDirectory(at('moved'))).release();
});

test.each([
  ['missing', 'is missing; to make a new server: oriel server init'],
  ['file/below', 'cannot be looked at: ENOTDIR'],
  ['loop', 'cannot be looked at: ELOOP'],
])('a directory that is none: %s', async (name, message) => {
  writeFileSync(at('file'), '');
  rmSync(at('loop'), { force: true });
  symlinkSync(at('loop'), at('loop'));
  await expect(lockDirectory(at(name))).rejects.toMatchObject({
    code: 'DIRECTORY_MALFORMED',
    message: expect.stringContaining(message),
  });
});
