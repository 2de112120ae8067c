import { spawnSync } from 'node:child_process';
import { ORIEL } from '../../scripts/demonstration/oriel-command.ts';
import { breakBuild } from '../broken-build.ts';

/** What makes a picture, of a camera whose processes run behind all others (a unit with Nice=19). */

const AS_USER = ['setpriv', '--reuid=61300', '--regid=61300', '--clear-groups', 'nice', '-n', '19'];

function makeSnapshotOf(bytes: string, oriel: string): string {
  const [command = '', ...args] = [...AS_USER, oriel, 'camera', 'snapshot'];
  return spawnSync(command, args, { input: bytes, encoding: 'utf8' }).stderr;
}

test('a camera that runs at a low priority makes snapshots at that', () => {
  expect(makeSnapshotOf('no keyframe', ORIEL)).toBe('not a box of fragmented MP4\n');
});

test('control: one that asks for its usual priority there comes to nothing', () => {
  const broken = breakBuild({
    file: 'cli/camera/make-snapshot.ts',
    from: 'if (getPriority() < PRIORITY) ',
    to: 'if (getPriority() > 0) ',
  });
  // The copy is root's alone otherwise.
  spawnSync('chmod', ['755', broken.root]);
  try {
    expect(makeSnapshotOf('no keyframe', broken.oriel)).toContain('uv_os_setpriority returned EACCES');
  } finally {
    broken.remove();
  }
});
