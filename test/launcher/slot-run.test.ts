import { type ChildProcess, spawn } from 'node:child_process';
import { appendFileSync, cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import pino from 'pino';
import { whatToDo } from '../../cli/camera/update-text.ts';
import type { Clock } from '../../host/clock.ts';
import { type Disk, systemDisk } from '../../host/disk.ts';
import { HostError } from '../../host/errors.ts';
import { SlotRun } from '../../launcher/slots/slot-run.ts';
import { wholeBundle } from '../../ota/bundle-source.ts';
import { USUAL_LIMITS } from '../../ota/launcher-limits.ts';
import { type AgentFacts, writeFacts } from '../../ota/launcher-protocol.ts';
import { Slots } from '../../ota/slots.ts';
import { until } from '../e2e/until.ts';
import { exitOf } from '../exit-of.ts';
import { makeBundle, newMaker } from '../ota/maker.ts';
import { commandsNamedIn } from '../repository/named-commands.ts';
import { runCommand, wordsOf } from '../repository/run-command.ts';

/** One slot's run, with real processes in place of agents, and a clock that is turned by hand. */

const three = newMaker();
const maker = { ...three, trust: { ...three.trust, root: { ...three.trust.root, threshold: 1 } } };
const made: string[] = [];
const children: ChildProcess[] = [];
const logged: Record<string, unknown>[] = [];
let trying: string;
beforeAll(async () => {
  trying = scratch();
  const slots = await Slots.install(options(trying), wholeBundle(bundle(1)));
  await slots.stage(wholeBundle(bundle(2)), true);
});
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});
afterAll(() => {
  for (const directory of made) rmSync(directory, { recursive: true });
});

const options = (directory: string) => ({ disk: systemDisk, directory, trust: maker.trust });

function scratch(): string {
  const path = mkdtempSync(join(tmpdir(), 'oriel-run-'));
  made.push(path);
  return path;
}

function bundle(counter: number): string {
  const path = makeBundle(maker, {
    changes: { version: `1.0.${counter}`, counter },
    signers: maker.release.slice(0, 1),
    keyListSigners: maker.root.slice(0, 1),
    keyList: { threshold: 1 },
  });
  made.push(path);
  return path;
}

const GOOD: AgentFacts = {
  mayFilm: true,
  captured: true,
  sealed: true,
  opened: true,
  connected: true,
  checked: true,
  memoryBytes: 80_000_000,
  minimum: '1.0.1',
  stage: null,
  delivered: 0,
};

const PROVED_MS = USUAL_LIMITS.proveSeconds * 1000;
const HEARTBEAT_MS = USUAL_LIMITS.heartbeatSeconds * 1000;
const FILM_MS = USUAL_LIMITS.verdictSeconds * 1000;
const FIRST_UNKNOWN_MS = USUAL_LIMITS.unknownSeconds * 1000;
const TURN_MS = USUAL_LIMITS.turnSeconds * 1000;
const { memoryBytes: MAX_AGENT_BYTES } = USUAL_LIMITS;

/** Real waits are short; what is waited for is turned. */
class HandClock implements Clock {
  #ms = 0;
  now = () => this.#ms;
  monotonic = () => this.#ms;
  turn(ms: number): void {
    this.#ms += ms;
  }
  sleep(_ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, 5);
      signal?.addEventListener('abort', () => {
        clearTimeout(timer);
        resolve();
      });
    });
  }
}

const SLEEPER: readonly string[] = ['sleep', '600'];

interface Running {
  readonly slots: Slots;
  readonly clock: HandClock;
  readonly run: SlotRun;
  /** Starts a process in an agent's place. */
  start(command?: readonly string[]): Promise<ChildProcess>;
  say(change?: Partial<AgentFacts>): void;
}

async function running(
  directory: string,
  act: (running: Running) => Promise<void>,
  disk: Disk = systemDisk,
): Promise<Slots> {
  const slots = await Slots.open({ ...options(directory), disk });
  const whole = await slots.choose(() => undefined);
  if (whole === undefined) throw new Error('nothing to run');
  const clock = new HandClock();
  const run = new SlotRun({
    slots,
    whole,
    captured: new Set(),
    installation: directory,
    limits: USUAL_LIMITS,
    incoming: join(directory, 'incoming'),
    separation: undefined,
    planOf: async () => undefined,
    clock,
    logger: pino({ level: 'error' }, { write: (line) => void logged.push(JSON.parse(line)) }),
  });
  const over = new AbortController();
  let child: ChildProcess | undefined;
  const watching = run.watch(over.signal);
  await act({
    slots,
    clock,
    run,
    start: async ([command = '', ...args] = SLEEPER) => {
      expect(await run.mayStart()).toBe(true);
      child = spawn(command, args, { stdio: ['ignore', 'ignore', 'ignore', 'pipe'] });
      children.push(child);
      // It reads nothing and says nothing: the test speaks for it.
      run.started(child);
      return child;
    },
    say: (change) => {
      const pipe = child?.stdio[3] as NodeJS.EventEmitter | undefined;
      pipe?.emit('data', writeFacts({ ...GOOD, ...change }));
    },
  });
  over.abort();
  await watching;
  return slots;
}

const onTrial = () => {
  const directory = scratch();
  cpSync(trying, directory, { recursive: true });
  return directory;
};
const ends = (run: SlotRun) => until('the run is over', () => run.over.aborted);

test('a release that has done all is confirmed, and its minimum counts', async () => {
  const slots = await running(onTrial(), async ({ start, clock, say, slots: its }) => {
    await start();
    clock.turn(PROVED_MS);
    say();
    await until('it is confirmed', () => its.state.trial === null);
  });
  expect(slots.state).toMatchObject({ active: 'b', release: { counter: 2 }, minimum: '1.0.1' });
  expect((await Slots.open(options(slots.directoryOf('a').slice(0, -2)))).state).toEqual(slots.state);
});

test('an agent that falls silent is killed, and that counts as a try; the third goes back', async () => {
  const slots = await running(onTrial(), async ({ start, clock, run }) => {
    for (const again of [true, true, false]) {
      const child = await start();
      const gone = exitOf(child);
      clock.turn(HEARTBEAT_MS);
      await gone;
      expect(child.signalCode).toBe('SIGKILL');
      expect(await run.ended(128)).toBe(again);
    }
  });
  expect(slots.state).toMatchObject({ trial: null, refused: [{ counter: 2, code: 'HEARTBEAT_LOST' }] });
});

test('[FC-24] an agent that never stops to talk is read now and then, and heard [TM-30]', async () => {
  await running(onTrial(), async ({ start, run }) => {
    const facts = Buffer.from(writeFacts(GOOD)).toString('utf8').trim();
    const script = `const { writeSync } = require('node:fs');
      const flood = Buffer.alloc(65536, ${JSON.stringify(`${facts}\n`)});
      for (let count = 0; ; count++) { writeSync(3, flood); console.log(count); }`;
    const child = await start([process.execPath, '--eval', script]);
    await until('it is heard', () => run.captured);
    const pipe = child.stdio[3] as Readable & { bytesRead: number };
    const [before, since] = [pipe.bytesRead, performance.now()];
    await new Promise((resolve) => setTimeout(resolve, 1000));
    const perSecond = ((pipe.bytesRead - before) / (performance.now() - since)) * 1000;
    expect(perSecond).toBeLessThan(20 * 65_536);
  });
});

test('[FC-23] what it once captured is remembered when its agent is gone', async () => {
  await running(onTrial(), async ({ start, say, run }) => {
    await start();
    say({ captured: false, checked: false });
    expect(run.captured).toBe(false);
    say({ checked: false });
    await until('it is noted', () => run.captured);
    await run.ended(1);
    expect(run.captured).toBe(true);
  });
});

test('an agent that says that it lives is left alone', async () => {
  await running(onTrial(), async ({ start, clock, say }) => {
    const child = await start();
    for (let count = 0; count < 5; count += 1) {
      say({ checked: false });
      clock.turn(HEARTBEAT_MS - 1);
    }
    expect([child.exitCode, child.signalCode]).toEqual([null, null]);
  });
});

test.each<[string, Partial<AgentFacts>, number, string]>([
  ['starts but takes no picture', { captured: false, sealed: false }, FILM_MS, 'CAPTURE_FAILED'],
  ['cannot open what it seals', { opened: false }, FILM_MS, 'OPEN_FAILED'],
  ['eats memory', { memoryBytes: MAX_AGENT_BYTES + 1 }, 0, 'MEMORY_EXCEEDED'],
])('[FC-57] a release that %s goes back, and the log says which', async (_, facts, afterMs, code) => {
  const slots = await running(onTrial(), async ({ start, clock, say, run }) => {
    await start();
    clock.turn(afterMs - 1);
    say(facts);
    clock.turn(1);
    await ends(run);
  });
  expect(slots.state).toMatchObject({
    active: 'a',
    trial: null,
    refused: [{ counter: 2, code, version: '1.0.2' }],
  });
  expect(logged.at(-1)).toMatchObject({ code, runs: '1.0.1', msg: 'release 1.0.2 went back' });
});

describe('a release that does not reach the server', () => {
  /** Until the release before has its turn. */
  async function untilTurn(directory: string): Promise<void> {
    await running(directory, async ({ start, clock, say, run }) => {
      await start();
      clock.turn(FIRST_UNKNOWN_MS);
      say({ connected: false, checked: false });
      await ends(run);
    });
  }

  test('goes back when the release before reaches it in its turn', async () => {
    const directory = onTrial();
    await untilTurn(directory);
    const slots = await running(directory, async ({ start, say, slots: its }) => {
      expect(its.state.trial?.phase).toBe('turn');
      await start();
      say();
      await until('it is judged', () => its.state.trial === null);
    });
    expect(slots.state).toMatchObject({ active: 'a', refused: [{ counter: 2, code: 'SERVER_UNREACHED' }] });
  });

  test('goes on when the release before does not reach it either, and starts so far do not count', async () => {
    const directory = onTrial();
    await untilTurn(directory);
    const slots = await running(directory, async ({ start, clock, say, run }) => {
      await start();
      clock.turn(TURN_MS);
      say({ connected: true, checked: false });
      await ends(run);
    });
    expect(slots.state.trial).toMatchObject({ phase: 'new', turns: 1, tries: 0, boots: 0 });
  });
});

test('an end that was asked for takes the start back that was counted', async () => {
  const slots = await running(onTrial(), async ({ start, run, slots: its }) => {
    await start();
    expect(its.state.trial?.boots).toBe(1);
    await run.settle();
  });
  expect(slots.state.trial).toMatchObject({ boots: 0, tries: 0 });
});

test('what is asked to be tried and is not there is told, once, and nothing else happens', async () => {
  const directory = scratch();
  await Slots.install(options(directory), wholeBundle(bundle(1)));
  const slots = await running(directory, async ({ start, say, run, slots: its }) => {
    await start();
    say({ stage: '0123456789abcdef' });
    await until('it is told', () => its.state.outcomes.length > 0);
    say({ stage: '0123456789abcdef' });
    say({ stage: '0123456789abcdef', delivered: 1 });
    await until('what was delivered is forgotten', () => its.state.outcomes.length === 0);
    expect(run.over.aborted).toBe(false);
  });
  expect(slots.state).toMatchObject({ active: 'a', trial: null, nextOutcome: 2 });
});

test('[REM-VERSION_DOWNGRADE] the release before is refused as an update, and comes back when it is asked for, once', async () => {
  const directory = onTrial();
  const slots = await running(directory, async ({ start, clock, say, run, slots: its }) => {
    await start();
    clock.turn(PROVED_MS);
    say();
    await until('it is confirmed', () => its.state.trial === null);
    const again = its.stage(wholeBundle(bundle(1)), true);
    await expect(again).rejects.toThrow('1.0.1: VERSION_DOWNGRADE');
    const told = whatToDo({ state: 'refused', code: 'VERSION_DOWNGRADE', over: true }, 'CAMERA').join('\n');
    const [line = ''] = commandsNamedIn(told);
    await runCommand(...wordsOf(line, { INSTALLATION: directory }));
    await ends(run);
  });
  expect(slots.state).toMatchObject({
    active: 'a',
    release: { version: '1.0.1', counter: 1 },
    refused: [{ counter: 2, code: 'ROLLBACK_ASKED' }],
  });
  expect(await slots.takeRollback()).toBe(false);
});

test('an agent of a confirmed release that ends is started again, but not from a slot that was altered since', async () => {
  const directory = scratch();
  await Slots.install(options(directory), wholeBundle(bundle(1)));
  await running(directory, async ({ start, run }) => {
    await start();
    expect(await run.ended(1)).toBe(true);
    await start();
    expect(await run.ended(1)).toBe(true);
    appendFileSync(join(directory, 'a/files/app/oriel.mjs'), ' ');
    expect(await run.mayStart()).toBe(false);
    expect(run.givenUp).toBe(true);
  });
});

/** A disk that takes nothing while it is full, and gives what it holds. */
class FillingDisk {
  full = false;
  readonly disk: Disk = {
    ...systemDisk,
    create: async (path, mode) => {
      if (this.full) throw new HostError('DISK_FULL', 'no space');
      return systemDisk.create(path, mode);
    },
  };
}

describe('on a disk that takes no more', () => {
  test('what is on trial is not started: the release confirmed last runs; the trial goes on when there is room', async () => {
    const directory = onTrial();
    const { disk } = Object.assign(new FillingDisk(), { full: true });
    const slots = await running(
      directory,
      async ({ run }) => {
        expect(await run.mayStart()).toBe(false);
        expect(run.givenUp).toBe(true);
      },
      disk,
    );
    expect((await slots.choose(() => undefined))?.slot).toBe('a');
    expect(slots.state).toMatchObject({ trial: null, refused: [] });
    expect((await Slots.open(options(directory))).state.trial).toMatchObject({ boots: 0, tries: 0 });
  });

  test('a release that fails goes back all the same', async () => {
    const filling = new FillingDisk();
    const slots = await running(
      onTrial(),
      async ({ start, say, run }) => {
        await start();
        filling.full = true;
        say({ memoryBytes: MAX_AGENT_BYTES + 1 });
        await ends(run);
      },
      filling.disk,
    );
    expect(slots.state).toMatchObject({ trial: null, refused: [{ counter: 2, code: 'MEMORY_EXCEEDED' }] });
    expect((await slots.choose(() => undefined))?.slot).toBe('a');
  });

  test('an agent of the release confirmed last is started again and again', async () => {
    const directory = scratch();
    await Slots.install(options(directory), wholeBundle(bundle(1)));
    const filling = Object.assign(new FillingDisk(), { full: true });
    await running(
      directory,
      async ({ start, run }) => {
        for (let count = 0; count < 3; count += 1) {
          await start();
          expect(await run.ended(1)).toBe(true);
        }
      },
      filling.disk,
    );
  });
});

test('a release that takes more memory than it says goes back', async () => {
  const slots = await running(onTrial(), async ({ start, say, run }) => {
    const greedy = 'const held = Buffer.alloc(340e6, 1); setInterval(() => held, 1e6)';
    const child = await start([process.execPath, '-e', greedy]);
    say({ memoryBytes: 1 });
    await ends(run);
    expect(child.exitCode).toBeNull();
  });
  expect(slots.state).toMatchObject({ refused: [{ counter: 2, code: 'MEMORY_EXCEEDED' }] });
});
