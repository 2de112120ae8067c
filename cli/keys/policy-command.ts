import { Command, InvalidArgumentError } from 'commander';
import type { UpdateChoice } from '../../crypto/policy.ts';
import { cameraIdOption, forceOption, outOption, repeated, wholeNumber } from '../options.ts';
import { TERMINAL } from '../terminal.ts';
import { parseName } from './words.ts';

/** When a camera may install updates, as its owner writes it at the command line. */

type UpdateWindow = NonNullable<UpdateChoice['window']>;

const TIME = '([01]\\d|2[0-3]):([0-5]\\d)';
const WINDOW = new RegExp(`^${TIME}-${TIME}(?:Z|([+-])(0\\d|1[0-4]):([0-5]\\d))?$`);
const DAY_MINUTES = 24 * 60;
/** That of crypto/policy.ts, which is not loaded to show a help text. */
const MAX_POSTPONE_DAYS = 30;

/** `02:00-05:00` in UTC, or `02:00-05:00+01:00` at that distance from it; as UTC. */
export function parseUpdateWindow(text: string): UpdateWindow {
  const match = WINDOW.exec(text);
  if (match === null) {
    throw new InvalidArgumentError('give hours of the day as in 02:00-05:00 (UTC) or 02:00-05:00+01:00.');
  }
  const [, fromHours, fromMinutes, toHours, toMinutes, sign, offsetHours, offsetMinutes] = match;
  const offset = sign === undefined ? 0 : minutesOf(offsetHours, offsetMinutes) * (sign === '-' ? -1 : 1);
  const from = timeOfDay(minutesOf(fromHours, fromMinutes) - offset);
  const to = timeOfDay(minutesOf(toHours, toMinutes) - offset);
  if (from === to) throw new InvalidArgumentError('the hours have to begin and end at different times.');
  return { from, to };
}

export function parsePostponeDays(text: string): number {
  const days = Number(text);
  if (!/^\d{1,2}$/.test(text) || days > MAX_POSTPONE_DAYS) {
    throw new InvalidArgumentError(`give a number of days from 0 to ${MAX_POSTPONE_DAYS}.`);
  }
  return days;
}

/** @returns undefined when nothing was chosen. */
export function updateChoice(
  window: UpdateWindow | undefined,
  postponeDays: number | undefined,
): UpdateChoice | undefined {
  if (window === undefined && postponeDays === undefined) return undefined;
  return { ...(postponeDays !== undefined && { postponeDays }), ...(window !== undefined && { window }) };
}

const minutesOf = (hours = '0', minutes = '0') => Number(hours) * 60 + Number(minutes);

function timeOfDay(minutes: number): string {
  const inDay = (minutes + DAY_MINUTES) % DAY_MINUTES;
  const two = (value: number) => String(value).padStart(2, '0');
  return `${two(Math.floor(inDay / 60))}:${two(inDay % 60)}`;
}

/** `oriel keys policy`: what a camera obeys, and who may open what it films. */

interface PolicyOptions {
  readonly camera: string;
  readonly out: string;
  readonly name: string;
  readonly audio?: true;
  readonly dayKey?: number;
  readonly viewer?: readonly string[];
  readonly floor?: readonly string[];
  readonly updateWindow?: UpdateWindow;
  readonly postponeUpdates?: number;
  readonly force?: true;
}

export function policyCommand(): Command {
  return new Command('policy')
    .description('sign the policy a camera obeys, and trust that camera from then on')
    .argument('<file>', "the owner's viewing key")
    .addOption(cameraIdOption('id of the camera, as oriel camera init printed it').makeOptionMandatory())
    .addOption(outOption('policy file to write, for the camera').makeOptionMandatory())
    .addOption(forceOption())
    .option('--name <name>', 'name of the camera, for display', parseName, '')
    .option('--audio', 'allow sound to be recorded')
    .option(
      '--day-key <n>',
      'the camera uses none of your day keys below this number',
      wholeNumber(0, 999_999_999),
    )
    .option(
      '--viewer <file>',
      'who may open the footage too: what `oriel keys share` wrote; may be repeated',
      repeated,
    )
    .option('--floor <viewer:n>', 'no day key of that viewer below this number; may be repeated', repeated)
    .option(
      '--update-window <from-to>',
      'hours in which updates are installed: 02:00-05:00 (UTC) or 02:00-05:00+01:00',
      parseUpdateWindow,
    )
    .option('--postpone-updates <days>', 'days that an update waits at first, 0 to 30', parsePostponeDays)
    .addHelpText(
      'after',
      `
A policy says everything anew: what is not given here is off, and updates are installed as soon as they are there. A
security fix waits 7 days at most, whatever is given.

The policy names the day keys that belong to it: a server that puts others beside it is not obeyed. Each viewer has a
floor, below which none of their day keys is used. It stays as it was signed last, and rises when day keys are destroyed
(oriel keys forget); --floor sets that of a viewer, by the viewer's id or its first characters, and --day-key your own.
Nothing is sealed to a viewer without a day key at or above the floor.

Examples:
  oriel keys policy me.key --camera CAMERA_ID --out policy.json --force --update-window 02:00-05:00+01:00
  oriel keys policy me.key --camera CAMERA_ID --out policy.json --force --viewer bob.keys --floor 7xk2:31
  oriel server policy put ./house policy.json --camera "Front door"`,
    )
    .action(async (file: string, options: PolicyOptions) => {
      const { writePolicy } = await import('../../owner/write-policy.ts');
      const { updateWindow, postponeUpdates, ...request } = options;
      const updates = updateChoice(updateWindow, postponeUpdates);
      await writePolicy(file, { ...request, updates }, TERMINAL);
    });
}
