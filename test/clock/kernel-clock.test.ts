import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { kernelClockIsSynchronised, readAnswer } from '../../host/kernel-clock.ts';
import { tellClock } from '../../launcher/launcher.ts';
import { CLOCK_SYNCHRONISED, CLOCK_UNSYNCHRONISED, HAND_OVER } from '../../ota/launcher-protocol.ts';
import { exitOf } from '../exit-of.ts';

/** What the kernel says of the machine's clock, and how the agent, which starts no process, gets to know it. */

const forever = new AbortController().signal;

test('the kernel answers here, whatever it answers', async () => {
  expect([true, false]).toContain(await kernelClockIsSynchronised(forever));
});

test.each([
  ['0\n', true],
  ['1\n', true],
  ['4\n', true],
  ['5\n', false],
  ['-1\n', undefined],
  ['', undefined],
  ['5', undefined],
  ['50\n', undefined],
])('adjtimex(2) returned %j: %s', (text, synchronised) => expect(readAnswer(text)).toBe(synchronised));

test('is written to the agent when it changes, and not while nobody can tell', async () => {
  const answers = [undefined, false, false, true, undefined, true, false];
  const written: string[] = [];
  const over = new AbortController();
  await tellClock({
    ask: async () => answers.shift(),
    write: (line) => void written.push(line),
    clock: { sleep: async () => (answers.length === 0 ? over.abort() : undefined) },
    signal: over.signal,
  });
  expect(written).toEqual([CLOCK_UNSYNCHRONISED, CLOCK_SYNCHRONISED, CLOCK_UNSYNCHRONISED]);
});

const cli = (path: string) => JSON.stringify(pathToFileURL(`${import.meta.dirname}/../../cli/${path}`).href);
const AGENT = `
  import { watchParentDeath } from ${cli('camera/role-process.ts')};
  import { stopSignal } from ${cli('signals.ts')};
  const { handsOver, clockIsSynchronised } = watchParentDeath();
  stopSignal().addEventListener('abort', () => process.exit());
  setInterval(() => console.log(JSON.stringify([handsOver(), clockIsSynchronised() ?? null])), 10);`;

let agent: ReturnType<typeof spawn>;
beforeAll(() => {
  agent = spawn(process.execPath, ['--input-type=module', '--eval', AGENT], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
});
afterAll(() => void agent.kill('SIGKILL'));

test('the agent reads it from its stdin, however it is cut', async () => {
  const { stdin, stdout } = agent;
  let said = '';
  const says = async (state: string) => {
    while (!said.split('\n').includes(state)) said += (await once(stdout!, 'data'))[0];
    said = '';
  };
  await says('[false,null]');
  stdin!.write(CLOCK_SYNCHRONISED.slice(0, 7));
  stdin!.write(CLOCK_SYNCHRONISED.slice(7));
  await says('[false,true]');
  stdin!.write(`what no launcher says\n${'x'.repeat(200)}\n${CLOCK_UNSYNCHRONISED}`);
  await says('[false,false]');
  stdin!.end(HAND_OVER);
  await exitOf(agent);
});
