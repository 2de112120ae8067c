import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DestinationsFile, withNothingAdopted } from '../../agent/firewall/destinations-file.ts';
import { ed25519FromSeed } from '../../crypto/curves.ts';
import { type PinStatement, signPinStatement, writePinsLine } from '../../crypto/pin-statement.ts';
import { nodePrimitives } from '../../crypto/primitives-node.ts';
import { writeSetupCode } from '../../crypto/setup-code.ts';
import { asOwnerOfSync } from '../../host/as-owner.ts';
import { tryDirectoryLock } from '../../host/directory-lock.ts';
import { systemDisk } from '../../host/disk.ts';
import type * as FileLockModule from '../../host/file-lock.ts';
import { writeTextFile } from '../../host/files.ts';
import { createOwnedFile } from '../../host/regular-file.ts';
import { replaceSecretFile } from '../../host/secret-file.ts';
import { ORIEL } from '../../scripts/demonstration/oriel-command.ts';
import { type Done, run } from '../../scripts/simulation/command.ts';
import type * as RegistryModule from '../../server/registry/registry-origin.ts';
import { writeId } from '../../server/registry/registry-origin.ts';
import { type Breakage, breakBuild } from '../broken-build.ts';
import { exitOf } from '../exit-of.ts';
import { AGENT, CAPTURE, MINIMAL_ROOT, SEPARATED } from '../no-way-in/test-deployment.ts';

/** What root does on a board whose agent has been taken over: that user writes what it likes into its directory. */

const SERVER = '192.0.2.10';
const ELSEWHERE = '192.0.2.66';
/** Longer than any of these commands takes, and shorter than waiting for a FIFO. */
const PATIENCE_MS = 60_000;

const deployment = mkdtempSync(join(tmpdir(), 'oriel-root-'));
const camera = join(deployment, 'camera');
const state = join(deployment, 'firewall');
const owner = ed25519FromSeed(new Uint8Array(32).fill(1));
const thief = ed25519FromSeed(new Uint8Array(32).fill(2));
const pin = new Uint8Array(32).fill(3);

beforeAll(() => chmodSync(deployment, 0o711));
beforeEach(() => {
  mkdirSync(camera, { mode: 0o710 });
  chmodSync(camera, 0o710);
  chownSync(camera, AGENT.uid, CAPTURE.gid);
});
afterEach(() => {
  for (const path of [camera, state]) rmSync(path, { recursive: true, force: true });
});
afterAll(() => rmSync(deployment, { recursive: true }));

const code = () =>
  writeSetupCode(
    {
      expires: 2_000_000_000,
      owner: owner.publicKey,
      secret: new Uint8Array(16).fill(4),
      activePin: pin,
      backupPin: new Uint8Array(32),
      origin: `https://${SERVER}:8443`,
    },
    nodePrimitives,
  );
const kept = ['--firewall-state', state];
/** As root, ended when it waits for something. */
const root = (command: string, args: readonly string[], env = {}, oriel = ORIEL): Promise<Done> =>
  run([oriel, 'camera', command, camera, ...args], { env, timeoutMs: PATIENCE_MS });
const setup = async (source = 'test:', lan: readonly string[] = []) =>
  root('setup', ['--source', source, ...lan, ...kept], { ORIEL_SETUP_CODE: await code() });
const rules = async (oriel = ORIEL) => {
  const done = await root('firewall', [...SEPARATED, ...kept], {}, oriel);
  return done.code === 0 ? done.stdout : `${done.code} ${done.stderr}`;
};
/** What a taken-over agent does. */
function agent(script: string, ...args: readonly string[]): void {
  const as = [`--reuid=${AGENT.uid}`, `--regid=${AGENT.gid}`, '--clear-groups', '--', 'sh', '-c', script];
  const done = spawnSync('setpriv', [...as, 'sh', ...args], { cwd: camera, encoding: 'utf8' });
  if (done.status !== 0) throw new Error(done.stderr);
}
const lay = (name: string, text: string) => agent('printf %s "$2" >"$1"', name, text);
const statement = async (change: Partial<PinStatement>, signer = owner) => {
  const { destinations } = JSON.parse(readFileSync(join(state, readdirSync(state)[0] ?? ''), 'utf8'));
  const id = Buffer.from(base32(destinations.camera));
  const whole = { camera: id, epoch: 1, counter: 1, activePin: pin, backupPin: new Uint8Array(32) };
  return writePinsLine(signPinStatement({ ...whole, origin: `https://${ELSEWHERE}`, ...change }, signer));
};
/** RFC 4648 section 6, in lower case. */
function base32(text: string): number[] {
  const bits = [...text].map((c) =>
    'abcdefghijklmnopqrstuvwxyz234567'.indexOf(c).toString(2).padStart(5, '0'),
  );
  return (bits.join('').match(/.{8}/g) ?? []).map((byte) => Number.parseInt(byte, 2));
}
/** The camera's configuration with another server and source, as a thief of the agent would have it. */
const turned = () => {
  const config = JSON.parse(readFileSync(join(camera, 'camera.json'), 'utf8'));
  const source = { source: `rtsp://${ELSEWHERE}/lens`, lan: [ELSEWHERE] };
  return JSON.stringify({
    ...config,
    ...source,
    server: { ...config.server, origin: `https://${ELSEWHERE}` },
  });
};

test('[FC-22] what the agent writes into its configuration does not open the packet filter [TM-50]', async () => {
  expect(await setup(`rtsp://192.0.2.7/lens`, ['--lan', '192.0.2.7'])).toMatchObject({ code: 0 });
  const before = await rules();
  expect(before).toContain(`ip daddr { ${SERVER} } tcp dport 8443 accept`);
  expect(before).toContain('ip daddr { 192.0.2.7 } tcp dport 554 accept');
  lay('camera.json', turned());
  expect(await rules()).toBe(before);
  const { stderr } = await root('firewall', [...SEPARATED, ...kept]);
  expect(stderr).toContain('--adopt');
  agent('rm -r camera.json device.key pairing.json');
  expect(await rules()).toBe(before);
});

test('[FC-22] control: a build whose root believes the agent opens it [TM-50]', async () => {
  const broken = breakBuild({
    file: 'host/as-owner.ts',
    from: 'stats.uid === 0 ? undefined',
    to: 'stats.uid >= 0 ? undefined',
  });
  try {
    await setup();
    lay('camera.json', turned());
    expect(await rules()).not.toContain(ELSEWHERE);
    expect(await rules(broken.oriel)).toContain(ELSEWHERE);
  } finally {
    broken.remove();
  }
});

test('[FC-22] a pin statement of the owner’s moves the filter with the camera, and nobody else’s [TM-50]', async () => {
  await setup();
  lay('pins', await statement({}, thief));
  expect(await rules()).not.toContain(ELSEWHERE);
  lay('pins', await statement({}));
  expect(await rules()).toContain(`ip daddr { ${ELSEWHERE} } tcp dport 443 accept`);
  // Taken away, it counts all the same: the server before does not come back.
  agent('rm pins');
  expect(await rules()).not.toContain(SERVER);
});

test('[FC-22] a camera made by its own user is kept as it is found first, until root says otherwise', async () => {
  await setup();
  rmSync(state, { recursive: true });
  expect(await rules()).toContain(SERVER);
  lay('camera.json', turned());
  expect(await rules()).not.toContain(ELSEWHERE);
  const adopted = await root('firewall', [...SEPARATED, ...kept, '--adopt']);
  expect(adopted.stdout).toContain(ELSEWHERE);
});

test('[FC-22] root gives it another source, and resets it: then nothing the agent lays down is believed', async () => {
  await setup();
  const source = ['--source', 'rtsp://192.0.2.8:8554/', '--lan', '192.0.2.8', ...kept];
  expect(await root('source', source)).toMatchObject({ code: 0 });
  expect(await rules()).toContain('ip daddr { 192.0.2.8 } tcp dport 8554 accept');
  const config = turned();
  expect(await root('reset', ['--yes', ...kept])).toMatchObject({ code: 0 });
  lay('camera.json', config);
  const closed = await rules();
  expect(closed).not.toMatch(/dport (443|8443|554|8554) accept/);
  agent('rm camera.json');
  await setup();
  expect(await rules()).toContain(SERVER);
});

test('[FC-22] what the agent got adopted during a set-up does not outlive it, nor the same code given again [TM-50]', async () => {
  await setup();
  lay('camera.json', turned());
  expect((await root('firewall', [...SEPARATED, ...kept, '--adopt'])).stdout).toContain(ELSEWHERE);
  expect(await setup()).toMatchObject({ code: 0 });
  const after = await rules();
  expect(after).toContain(SERVER);
  expect(after).not.toContain(ELSEWHERE);
});

test('[FC-22] a camera set up by another name is the same to the filter', async () => {
  const link = join(deployment, 'link');
  symlinkSync(camera, link);
  const env = { ORIEL_SETUP_CODE: await code() };
  expect(
    await run([ORIEL, 'camera', 'setup', link, '--source', 'test:', ...kept], {
      env,
      timeoutMs: PATIENCE_MS,
    }),
  ).toMatchObject({ code: 0 });
  rmSync(link);
  lay('camera.json', turned());
  const after = await rules();
  expect(after).toContain(SERVER);
  expect(after).not.toContain(ELSEWHERE);
});

test('[FC-22] what root keeps has a name that fits, however long the directory’s is', async () => {
  const deep = join(camera, ...Array(8).fill('é'.repeat(60)));
  mkdirSync(deep, { recursive: true });
  const file = new DestinationsFile(state, deep);
  await file.write(null);
  expect(file.read()).toBeNull();
});

test('[FC-22] during a set-up there is nothing to adopt, and after one that failed as before [TM-50]', async () => {
  await setup();
  lay('camera.json', turned());
  const file = new DestinationsFile(state, camera);
  await file.remove();
  const during = await withNothingAdopted(state, camera, () => rules());
  expect(during).not.toMatch(/dport (443|8443|554|8554) accept/);
  await file.remove();
  await expect(withNothingAdopted(state, camera, () => Promise.reject(new Error('no')))).rejects.toThrow(
    'no',
  );
  expect(file.read()).toBeUndefined();
});

test('[FC-22] root takes no setup code that the agent may have laid down', async () => {
  lay('setup-code', await code());
  const done = await root('setup', ['--source', 'test:', ...kept]);
  expect(done).toMatchObject({ code: 2, stderr: expect.stringContaining('--code') });
  const given = ['--source', 'test:', '--code', join(camera, 'setup-code'), ...kept];
  agent('mv setup-code aside && mkfifo setup-code');
  expect(await root('setup', given)).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('[FILE_UNREADABLE]'),
  });
  // The way out, for one that is the administrator's.
  agent('rm setup-code && mv aside setup-code');
  expect(await root('setup', given)).toMatchObject({ code: 0 });
  expect(await rules()).toContain(SERVER);
});

const FILES = ['camera.json', 'device.key', 'pairing.json', 'pins', 'client.pem', 'time.json'];
test.each([
  ['FIFOs', 'for name; do rm -f "$name"; mkfifo "$name"; done'],
  ['links to a FIFO', 'mkfifo fifo; for name; do rm -f "$name"; ln -s fifo "$name"; done'],
  ['links to a device', 'for name; do rm -f "$name"; ln -s /dev/zero "$name"; done'],
])(
  '[FC-27] root waits for nothing: in place of the camera’s files lie %s [TM-51]',
  async (_what, script) => {
    await setup();
    agent(`${script}; mkdir run; cd run; mkdir capture`, ...FILES, 'run/status.json');
    expect(await rules()).toContain(SERVER);
    // Without what root keeps it would have to read them.
    rmSync(state, { recursive: true });
    for (const [command, ...args] of [
      ['firewall', ...SEPARATED, ...kept],
      ['selfcheck'],
      ['status'],
      ['source', '--source', 'test:', ...kept],
    ]) {
      const done = await root(command ?? '', args);
      expect({ command, ...done }).toMatchObject({ code: 1, stderr: expect.not.stringContaining('    at ') });
    }
    // The way out.
    expect(await root('reset', ['--yes', ...kept])).toMatchObject({ code: 0 });
    expect(await setup()).toMatchObject({ code: 0 });
    expect(await rules()).toContain(SERVER);
  },
  120_000,
);

test('[FC-27] root that locks another user’s directory starts nothing for it that this user could stop', async () => {
  // Of no other test's: it stops all that it may.
  const user = 61_266;
  chownSync(camera, user, user);
  const as = ['setpriv', `--reuid=${user}`, `--regid=${user}`, '--clear-groups', '--'];
  const thief = spawn(as[0] ?? '', [...as.slice(1), 'sh', '-c', 'echo; while :; do kill -STOP -1; done']);
  try {
    await once(thief.stdout, 'data');
    for (let times = 0; times < 20; times++) {
      const lock = asOwnerOfSync(camera, () => tryDirectoryLock(camera, 0));
      expect(lock).toBeDefined();
      lock?.release();
    }
    // Control: what is started with that user's rights alone is stopped.
    const sleep = () => spawnSync('sleep', ['0.5'], { timeout: 3_000, killSignal: 'SIGKILL' });
    expect(asOwnerOfSync(camera, sleep).error).toMatchObject({ code: 'ETIMEDOUT' });
  } finally {
    thief.kill('SIGKILL');
    await exitOf(thief);
  }
});

describe('[FC-27] a spool that leads elsewhere', () => {
  const precious = join(deployment, 'precious');
  beforeEach(async () => {
    await setup();
    mkdirSync(precious);
    writeFileSync(join(precious, 'file'), 'of root’s');
    agent('ln -s "$1" spool', precious);
  });
  afterEach(() => rmSync(precious, { recursive: true, force: true }));

  test('is removed by a reset, and what it leads to stays [TM-51]', async () => {
    expect(await root('selfcheck', [])).toMatchObject({ code: 1 });
    expect(await root('reset', ['--yes', ...kept])).toMatchObject({ code: 0 });
    expect(readdirSync(precious)).toEqual(['file']);
    expect(readdirSync(camera)).not.toContain('spool');
  });

  test('control: a build that follows it as root empties what it leads to [TM-51]', async () => {
    const broken = breakBuild(
      { file: 'host/as-owner.ts', from: 'stats.uid === 0 ? undefined', to: 'stats.uid >= 0 ? undefined' },
      { file: 'host/disk.ts', from: 'await fs.lstat(path)', to: 'await fs.stat(path)' },
    );
    try {
      await root('reset', ['--yes', ...kept], {}, broken.oriel);
      expect(readdirSync(precious)).toEqual([]);
    } finally {
      broken.remove();
    }
  });
});

describe('[FC-27] a directory of another user’s in which root makes something', () => {
  const precious = join(deployment, 'of-root');
  const facts = (path: string) => {
    const { uid, mode } = statSync(path);
    return { uid, mode: mode & 0o777 };
  };
  const made = { uid: AGENT.uid, mode: 0o700 };
  const setUpIn = async (directory: string, oriel = ORIEL) =>
    run([oriel, 'camera', 'setup', directory, '--source', 'test:', ...kept], {
      env: { ORIEL_SETUP_CODE: await code() },
      timeoutMs: PATIENCE_MS,
    });
  beforeEach(() => {
    mkdirSync(precious, { mode: 0o755 });
    chmodSync(precious, 0o755);
  });
  afterEach(() => rmSync(precious, { recursive: true }));

  test('a camera set up in there is that user’s, with all that is in it', async () => {
    const directory = join(camera, 'deep/new');
    expect(await setUpIn(directory)).toMatchObject({ code: 0 });
    expect(facts(directory)).toEqual(made);
    for (const name of readdirSync(directory)) expect(facts(join(directory, name)).uid).toBe(AGENT.uid);
  });

  test('a link that lies there already leads root nowhere [TM-51]', async () => {
    agent('ln -s "$1" new', precious);
    expect(await setUpIn(join(camera, 'new'))).toMatchObject({ code: 1 });
    expect(facts(precious)).toEqual({ uid: 0, mode: 0o755 });
    expect(readdirSync(precious)).toEqual([]);
  });

  const laid = `{ const { renameSync, symlinkSync } = process.getBuiltinModule('node:fs');
      renameSync(this.path, this.path + '.aside'); symlinkSync(${JSON.stringify(precious)}, this.path); }`;
  const after = '    const directory = openDirectory(this.path, isNew);\n';
  const swap = { file: 'agent/state/camera-directory.ts', from: after, to: `${laid}\n${after}` };
  const asRoot = {
    file: 'host/as-owner.ts',
    from: 'stats.uid === 0 ? undefined',
    to: 'stats.uid >= 0 ? undefined',
  };
  const follows = { file: swap.file, from: '(isNew ? O_NOFOLLOW : 0)', to: '0' };
  test.each<[string, Breakage[], ReturnType<typeof facts>]>([
    ['with the rights of that user', [swap, follows], { uid: 0, mode: 0o755 }],
    ['as root, which follows no link', [swap, asRoot], { uid: 0, mode: 0o755 }],
    ['control: as root, which follows it', [swap, asRoot, follows], { uid: 0, mode: 0o750 }],
  ])('a link laid in place of what was just made: %s [TM-51]', async (_what, breakages, expected) => {
    const broken = breakBuild(...breakages);
    try {
      await setUpIn(join(camera, 'new'), broken.oriel);
      expect(facts(precious)).toEqual(expected);
    } finally {
      broken.remove();
    }
  });

  /** A link to what is not there yet, laid before SQLite opens the file by its name. */
  const dangling = (
    path: string,
  ) => `{ const { renameSync, symlinkSync } = process.getBuiltinModule('node:fs');
      renameSync(${path}, ${path} + '.aside'); symlinkSync(${JSON.stringify(join(precious, 'nologin'))}, ${path}); }`;
  const lockOpens = '    database = new DatabaseSync(path, { timeout: 0 });';
  const lockSwap = {
    file: 'host/file-lock.ts',
    from: lockOpens,
    to: `${dangling('path')}\n${lockOpens}`,
  };
  const registryOpens = '    this.#db = this.#connect();\n    try {';
  const registrySwap = {
    file: 'server/registry/sqlite.ts',
    from: registryOpens,
    to: `${dangling('path')}\n${registryOpens}`,
  };
  const lockIn = async (from: string) => {
    const { tryFileLock } = (await import(join(from, 'host/file-lock.ts'))) as typeof FileLockModule;
    tryFileLock(join(camera, 'server.lock'))?.release();
  };
  const registryIn = async (from: string) => {
    const { openRegistry } = (await import(
      join(from, 'server/registry/registry-origin.ts')
    )) as typeof RegistryModule;
    await (await openRegistry(camera)).close();
  };
  test.each<[string, typeof lockIn, Breakage[], string[]]>([
    ['a lock', lockIn, [lockSwap], []],
    ['control: a lock, as root', lockIn, [lockSwap, asRoot], ['nologin']],
    ['a registry', registryIn, [registrySwap], []],
    ['control: a registry, as root', registryIn, [registrySwap, asRoot], ['nologin']],
  ])(
    'a link laid in place of what SQLite opens makes no file elsewhere: %s [TM-51]',
    async (_what, open, breakages, made) => {
      const broken = breakBuild(...breakages);
      try {
        await open(broken.root).catch(() => undefined);
        expect(readdirSync(precious)).toEqual(made);
      } finally {
        broken.remove();
      }
    },
  );

  test('a file is made with its text at once, through no name', () => {
    const path = join(camera, 'registry.id.tmp');
    expect(createOwnedFile(path, 'text')).toBe(true);
    expect([readFileSync(path, 'utf8'), facts(path)]).toEqual(['text', { uid: AGENT.uid, mode: 0o600 }]);
    rmSync(path);
    symlinkSync(join(precious, 'nologin'), path);
    expect(createOwnedFile(path, 'text')).toBe(false);
    expect(readdirSync(precious)).toEqual([]);
  });

  test('a secret is overwritten in a file of that user’s alone', () => {
    const [path, shadow] = [join(camera, 'key'), join(precious, 'shadow')];
    writeFileSync(shadow, 'of root’s');
    for (const lay of [linkSync, symlinkSync]) {
      lay(shadow, path);
      expect(() => replaceSecretFile(path, 'new')).toThrow(
        expect.objectContaining({ code: 'FILE_UNWRITABLE' }),
      );
      rmSync(path);
    }
    expect(readFileSync(shadow, 'utf8')).toBe('of root’s');
    lay('key', 'old');
    linkSync(path, join(precious, 'old'));
    replaceSecretFile(path, 'new');
    expect(readFileSync(path, 'utf8')).toBe('new');
    expect(readFileSync(join(precious, 'old'), 'utf8')).toBe('\0\0\0');
  });

  test.each<[string, () => Promise<void> | void]>([
    ['registry.id', () => writeId(camera, 'ab')],
    ['key', () => writeTextFile(join(camera, 'key'), 'text', 0o600)],
    ['spool', async () => void (await systemDisk.makeDirectory(join(camera, 'spool'), 0o700))],
  ])('%s is that user’s', async (name, make) => {
    await make();
    expect(facts(join(camera, name)).uid).toBe(AGENT.uid);
    expect(readdirSync(camera)).toEqual([name]);
  });
});

describe('[FC-27] a process of the agent’s user that was stopped', () => {
  const host = (name: string) => JSON.stringify(join(import.meta.dirname, '../../host', name));
  /** As a launcher with its two capabilities, which may signal no other user's process. */
  const launcher = (script: string) => {
    const preamble = `
      import { collect } from ${host('child.ts')};
      import { sandboxed } from ${host('sandbox.ts')};
      import { readAs } from ${host('read-as.ts')};
      const user = { uid: ${AGENT.uid}, gid: ${AGENT.gid}, groups: [] };
      const under = sandboxed({ user, network: 'shared', emptyBoundingSet: false });
      const stopped = [...under, 'sh', '-c', 'echo $$ >>pids; kill -STOP $$; exec "$@"', 'sh'];`;
    const node = [process.execPath, '--input-type=module', '--eval', preamble + script];
    return run([...MINIMAL_ROOT, ...node], { timeoutMs: PATIENCE_MS, cwd: camera });
  };

  test('keeps its launcher from nothing: neither a command nor a copy is waited for', async () => {
    const done = await launcher(`
      const signal = new AbortController().signal;
      const { code } = await collect('true', [], { timeoutMs: 200, maxBytes: 1, signal, under: stopped });
      const pace = { silentMs: 200, bytesPerSecond: 1e6 };
      console.log(code, await readAs(stopped, '/etc/debian_version', 1000, async () => undefined, pace));`);
    // Only who may signal them ends them.
    const pids = readFileSync(join(camera, 'pids'), 'utf8').trim().split('\n').map(Number);
    for (const pid of pids) process.kill(pid, 'SIGKILL');
    expect(pids).toHaveLength(2);
    expect(done).toMatchObject({ code: 0, stdout: 'null false\n' });
  });

  test('control: one that goes on is waited for, and read', async () => {
    const done = await launcher(`
      const signal = new AbortController().signal;
      const { code } = await collect('true', [], { timeoutMs: 20_000, maxBytes: 1, signal, under });
      let bytes = 0;
      const read = await readAs(under, '/etc/debian_version', 3, async (chunk) => { bytes += chunk.length; });
      console.log(code, read, bytes);`);
    expect(done).toMatchObject({ code: 0, stdout: '0 true 3\n' });
  });
});
