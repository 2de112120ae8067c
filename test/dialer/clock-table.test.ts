import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type Breakage, breakBuild } from '../broken-build.ts';
import { exitOf } from '../exit-of.ts';
import type { Report, Task } from './dialling-camera.ts';
import { type HostileServers, openHostileServers, RELEASE } from './hostile-servers.ts';

/**
 * Every trick of a hostile server with the camera's clock right, at 1970 and at 2099: a process of its own for each
 * clock, turned by faketime(1), dials them all as the agent does.
 */

const LIBRARY = `/usr/lib/${process.arch === 'x64' ? 'x86_64' : 'aarch64'}-linux-gnu/faketime/libfaketime.so.1`;
const CLOCKS = { right: '+0', 'at 1970': '@1970-01-01 00:00:10', 'at 2099': '@2099-01-01 00:00:10' } as const;
type ClockName = keyof typeof CLOCKS;
/** By trick and clock: `connect`, or the code of the refusal. */
type Outcomes = Record<string, Record<ClockName, string>>;
const ROOT = join(import.meta.dirname, '../..');
const DOCUMENT = join(ROOT, 'docs/design/threat-model.md');

let servers: HostileServers;
let directory: string;
let sound: Outcomes;
beforeAll(async () => {
  servers = await openHostileServers();
  directory = mkdtempSync(join(tmpdir(), 'oriel-clock-table-'));
  writeFileSync(join(directory, 'store.pem'), servers.store);
  sound = await play(ROOT);
});
afterAll(() => {
  servers.close();
  rmSync(directory, { recursive: true });
});

/** Plays all tricks against a build. @returns the outcomes, a trick's at each clock. */
async function play(root: string): Promise<Outcomes> {
  const names = Object.keys(CLOCKS) as ClockName[];
  const reports = await Promise.all(names.map((name) => playAt(root, name)));
  return Object.fromEntries(
    servers.tricks.map(({ name }, row) => [
      name,
      Object.fromEntries(names.map((clock, column) => [clock, reports[column]!.outcomes[row]])),
    ]),
  ) as Outcomes;
}

async function playAt(root: string, clock: ClockName): Promise<Report> {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'dialling-camera.ts'), root], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: {
      LD_PRELOAD: LIBRARY,
      FAKETIME: CLOCKS[clock],
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
      NODE_EXTRA_CA_CERTS: join(directory, 'store.pem'),
    },
  });
  const task: Task = {
    tricks: servers.tricks,
    key: servers.client.key,
    certificate: servers.client.pem,
    releaseTimeMs: RELEASE,
    owner: servers.owner,
    directory: mkdtempSync(join(directory, 'camera-')),
  };
  // EPIPE: it is gone, which its exit code tells.
  child.stdin.on('error', () => undefined).end(JSON.stringify(task));
  const [said, exit] = await Promise.all([text(child.stdout), exitOf(child)]);
  expect(exit).toEqual([0, null]);
  const report = JSON.parse(said) as Report;
  const year = new Date(report.clock).getUTCFullYear();
  expect(year).toBe(clock === 'right' ? new Date().getUTCFullYear() : Number(clock.slice(3)));
  return report;
}

/** The outcomes as the document shows them. */
function asTable(outcomes: Outcomes): string {
  const cell = (outcome: string) =>
    outcome
      .split(' ')
      .map((word) => (word === 'connect' ? word : `\`${word}\``))
      .join(', ');
  const rows = Object.entries(outcomes).map(
    ([name, at]) => `| ${[name, ...Object.values(at).map(cell)].join(' | ')} |`,
  );
  const head = ['server', ...Object.keys(CLOCKS).map((name) => `clock ${name}`)];
  return [`| ${head.join(' | ')} |`, `|${' --- |'.repeat(head.length)}`, ...rows].join('\n');
}

test('every trick with every clock comes out as the document says, and no byte is sent before that [TM-02] [TM-20] [KEY-13 rotated]', async () => {
  const outcomes = sound;
  const table = asTable(outcomes);
  if (!readFileSync(DOCUMENT, 'utf8').includes(table))
    throw new Error(`${DOCUMENT} has no such table:\n${table}`);
  for (const { name, ports } of servers.tricks) {
    const connected = Object.values(outcomes[name]!).filter((outcome) => outcome === 'connect').length;
    expect([name, servers.received(ports.at(-1)!)]).toEqual([name, connected * 'secret'.length]);
  }
});

/** The outcomes in which a build differs from the sound one. */
async function differences(
  ...breakages: Breakage[]
): Promise<Record<string, Partial<Record<ClockName, string>>>> {
  const build = breakBuild(...breakages);
  try {
    const changed = Object.entries(await play(build.root)).map(([name, at]) => [
      name,
      Object.fromEntries(
        Object.entries(at).filter(([clock, outcome]) => sound[name]![clock as ClockName] !== outcome),
      ),
    ]);
    return Object.fromEntries(changed.filter(([, at]) => Object.keys(at as object).length > 0));
  } finally {
    build.remove();
  }
}

const FORGED = ['forged signature, pinned CA appended', 'the same, expired'];
const IMPOSTORS = [
  'wrong key usage',
  'unknown CA of the same name',
  'resumed session, by who stole the server’s ticket key',
];

test('control: a build that goes by the machine’s clock shuts honest servers out, and takes expired ones for good', async () => {
  const found = await differences({
    file: 'agent/client/dial.ts',
    from: 'trustedTimeMs: trustedTimeMs(),',
    to: 'trustedTimeMs: Date.now(),',
  });
  expect(found).toEqual({
    'none: an honest server': { 'at 2099': 'EXPIRED' },
    'expired before the build was made': { 'at 1970': 'connect' },
    'ended since the build was made': { right: 'EXPIRED', 'at 2099': 'EXPIRED' },
    'not yet valid': { 'at 2099': 'EXPIRED' },
    'no ALPN': { 'at 2099': 'EXPIRED' },
    'pinned CA replaced by the backup': { 'at 2099': 'EXPIRED' },
    'pin rotated by a signed statement': { 'at 2099': 'EXPIRED' },
  });
});

test('control: a build that takes Node’s verdict but for the dates is open to impostors whenever its clock is wrong', async () => {
  const found = await differences(
    { file: 'host/dialer.ts', from: '      ca: [],\n', to: '' },
    {
      file: 'host/dialer.ts',
      from: "if (verdict.verdict === 'refused') return new DialRefusal(verdict.code, verdict.message);",
      to: `const code = String(socket.authorizationError ?? verdict.verdict);
    if (!/accepted|refused|EXPIRED|NOT_YET/.test(code)) return new DialRefusal(code, '');`,
    },
  );
  const connects = (at: Partial<Record<ClockName, string>> = {}) =>
    Object.keys(CLOCKS).filter((clock) => at[clock as ClockName] === 'connect');
  for (const trick of [...IMPOSTORS, FORGED[0]!])
    expect([trick, connects(found[trick])]).toEqual([trick, ['at 1970', 'at 2099']]);
  for (const trick of [FORGED[1]!, 'CA in the machine’s store', 'wrong host'])
    expect([trick, connects(found[trick])]).toEqual([trick, Object.keys(CLOCKS)]);
});

test('control: a build that offers the last session again talks to who stole the ticket key', async () => {
  const found = await differences(
    {
      file: 'host/dialer.ts',
      from: '      ALPNProtocols: [alpn],\n',
      to: '      ALPNProtocols: [alpn], session: kept,\n',
    },
    {
      file: 'host/dialer.ts',
      from: "    deadline.addEventListener('abort', onAbort, { once: true });\n",
      to: "    socket.on('session', (session) => { kept = session; }); deadline.addEventListener('abort', onAbort, { once: true });\n",
    },
    {
      file: 'host/dialer.ts',
      from: 'const KEEPALIVE_MS = 15_000;',
      to: 'const KEEPALIVE_MS = 15_000; let kept: Buffer | undefined;',
    },
    {
      file: 'host/dialer.ts',
      from: "if (socket.isSessionReused()) return new DialRefusal('SESSION_RESUMED', 'the session was resumed');",
      to: 'if (socket.isSessionReused()) return undefined;',
    },
  );
  expect(found).toEqual({
    'resumed session, by who stole the server’s ticket key': {
      right: 'connect',
      'at 1970': 'connect',
      'at 2099': 'connect',
    },
  });
});

test('control: a build that counts no statements goes back to the CA that was lost', async () => {
  const found = await differences({
    file: 'crypto/pin-statement.ts',
    from: "return statement.counter > obeyed.counter ? 'new' : 'PINS_REPLAYED';",
    to: "return 'new';",
  });
  const connect = { right: 'connect', 'at 1970': 'connect', 'at 2099': 'connect' };
  expect(found).toEqual({ 'statement replayed': connect });
});
