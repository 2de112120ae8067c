import type { Command } from 'commander';
import { isRunning, runningProgram } from '../../cli/camera/running-commands.ts';
import { orielCommand } from '../../cli/oriel.ts';

const commandsOf = (program: Command) =>
  program.commands.find((one) => one.name() === 'camera')?.commands ?? [];

test('what a camera runs by is the same command, alone as among all others', () => {
  const all = new Map(commandsOf(orielCommand()).map((one) => [one.name(), one.helpInformation()]));
  const running = commandsOf(runningProgram()).map((one) => [one.name(), one.helpInformation()]);
  expect(running.map(([name]) => name)).toEqual(['run', 'agent', 'capture', 'plan', 'snapshot']);
  for (const [name = '', help] of running) expect(help).toBe(all.get(name));
  for (const name of all.keys()) {
    const isAlone = running.some(([one]) => one === name);
    expect([name, isRunning(['camera', name, './cam'])]).toEqual([name, isAlone]);
  }
});

test.each([[[]], [['run']], [['server', 'run']], [['camera']], [['--help']]])(
  '%j is none of these',
  (words) => {
    expect(isRunning(words)).toBe(false);
  },
);
