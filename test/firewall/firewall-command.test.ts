import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { ORIEL } from '../../scripts/demonstration/oriel-command.ts';
import { run } from '../../scripts/simulation/command.ts';
import { SEPARATED } from '../no-way-in/test-deployment.ts';

/** Which of the machine's two filters `oriel camera firewall --apply` sets; in place of nft and systemctl is what notes that. */

const directory = mkdtempSync(join(tmpdir(), 'oriel-firewall-command-'));
const programs = join(directory, 'bin');
const notes = join(directory, 'notes');
const camera = join(directory, 'camera');
beforeAll(() => {
  for (const path of [programs, camera]) mkdirSync(path);
  for (const name of ['nft', 'systemctl']) {
    writeFileSync(
      join(programs, name),
      `#!/bin/sh\necho ${name} "$@" >>'${notes}'\n[ ${name} != nft ] || cat >/dev/null\n`,
    );
    chmodSync(join(programs, name), 0o755);
  }
});
beforeEach(() => writeFileSync(notes, ''));
afterAll(() => rmSync(directory, { recursive: true }));

const firewall = (...options: readonly string[]) =>
  run([ORIEL, 'camera', 'firewall', camera, ...SEPARATED, '--apply', ...options], {
    env: { PATH: `${programs}${delimiter}${process.env.PATH}` },
  });
const called = () => readFileSync(notes, 'utf8').trim().split('\n');

test('the packet filter, and the addresses of a unit', async () => {
  expect(await firewall('--service', 'oriel-camera.service')).toMatchObject({ code: 0 });
  expect(called()).toEqual([
    'nft -f -',
    expect.stringMatching(
      /^systemctl set-property --runtime oriel-camera.service IPAddressAllow= IPAddressAllow=/,
    ),
  ]);
});

test('the addresses alone', async () => {
  const done = await firewall('--service', 'oriel-camera.service', '--addresses-only');
  expect(done).toMatchObject({ code: 0 });
  expect(called()).toEqual([
    expect.stringMatching(/^systemctl set-property --runtime oriel-camera.service /),
  ]);
});

test('the addresses alone, of no unit: refused', async () => {
  expect(await firewall('--addresses-only')).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('--service'),
  });
  expect(called()).toEqual(['']);
});

test('a filter that nft refuses without reading it is refused in its own words, and the unit is left alone', async () => {
  const nft = readFileSync(join(programs, 'nft'));
  writeFileSync(
    join(programs, 'nft'),
    '#!/bin/sh\nexec 0<&-\necho "Error: No such file or directory" >&2\nexit 1\n',
  );
  try {
    expect(await firewall('--service', 'oriel-camera.service')).toMatchObject({
      code: 1,
      stderr: 'oriel: nft failed (exit code 1): Error: No such file or directory [COMMAND_FAILED]\n',
    });
    expect(called()).toEqual(['']);
  } finally {
    writeFileSync(join(programs, 'nft'), nft);
  }
});

test('[REM-COMMAND_FAILED] a machine without nft: the package that is named', async () => {
  // Root's own directories of programs, where Debian's package puts it, are not in this PATH.
  const without = await run([ORIEL, 'camera', 'firewall', camera, ...SEPARATED, '--apply'], {
    env: { PATH: '/usr/bin:/bin' },
  });
  expect(without).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(
      /^oriel: nft cannot be run: apt-get install nftables, with its directory in PATH \[COMMAND_FAILED\]$/m,
    ),
  });
  expect(await firewall()).toMatchObject({ code: 0 });
  expect(called()).toEqual(['nft -f -']);
});
