import { join } from 'node:path';
import { utf8 } from '../../crypto/bytes.ts';
import type { Edition } from '../../server/updates/edition.ts';
import { publishEdition, sweep } from '../../server/updates/publish.ts';
import { type Call, CrashDisk, type CrashState } from '../faults/crash-disk.ts';

/** An edition whose documents say nothing but their version. */
function edition(version: number): Edition {
  const bytes = utf8(String(version));
  return {
    timestamp: bytes,
    snapshot: bytes,
    targets: bytes,
    versions: { timestamp: version, snapshot: version, targets: version },
    expires: '',
    offer: { releases: [], unreadable: [], issuedMs: undefined },
  };
}

const METADATA = '/repository/metadata';

/** What a crash before any call leaves of a second edition's way into place: the versions that have no snapshot or targets. */
async function halves(ignore: (call: string, path: string) => boolean = () => false): Promise<string[]> {
  const states: CrashState[] = [];
  const options = { onCall: (call: Call) => states.push(...call.states), ignore };
  const first = new CrashDisk();
  first.place('/repository');
  await publishEdition(first, '/repository', [], edition(1));
  const disk = new CrashDisk(options);
  for (const path of ['/repository', METADATA]) disk.place(path);
  for (const [path, content] of first.state.after('killed').files) disk.place(path, content);
  await publishEdition(disk, '/repository', [], edition(2));
  return states.flatMap((state) =>
    (['killed', 'power cut', 7, 8, 9] as const).flatMap((crash) => {
      const { files } = state.after(crash);
      const version = Buffer.from(files.get(join(METADATA, 'timestamp.json')) ?? '').toString();
      const named = ['snapshot', 'targets'].map((role) =>
        files.get(join(METADATA, `${version}.${role}.json`)),
      );
      const whole = named.every((bytes) => bytes !== undefined && Buffer.from(bytes).toString() === version);
      return whole ? [] : [version];
    }),
  );
}

test('[FC-54] a power cut at any call on the way leaves the edition before or the new one, whole', async () => {
  expect(await halves()).toEqual([]);
});

test.each([
  ['sync', /\.tmp$/],
  ['sync directory', /./],
])('[FC-54] control: on a disk that forgets to %s it does not', async (call, place) => {
  expect(await halves((name, path) => name === call && place.test(path))).not.toEqual([]);
});

test('[FC-54] a sweep removes what is not kept, and directories that are empty then', async () => {
  const disk = new CrashDisk();
  for (const path of ['/r', '/r/files', '/r/targets', '/r/targets/a']) disk.place(path);
  for (const path of ['/r/files/kept', '/r/files/old', '/r/targets/a/old', '/r/old.tmp'])
    disk.place(path, utf8('x'));
  await sweep(disk, '/r', new Set(['files/kept']));
  expect(disk.state.after('killed')).toEqual({
    files: new Map([['/r/files/kept', utf8('x')]]),
    directories: ['/', '/r', '/r/files'],
  });
});
