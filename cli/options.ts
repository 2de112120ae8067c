import { Argument, InvalidArgumentError, Option } from 'commander';
import { isIdText } from '../crypto/ids.ts';

const LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'];

/** `--log-level`, of everything that logs. */
export function logLevelOption(): Option {
  return new Option('--log-level <level>', 'how much to log; debug names every request')
    .choices(LEVELS)
    .default('info')
    .env('ORIEL_LOG_LEVEL');
}

/** A TCP port as a person gives it; 0 is any that is free. */
export function parsePort(text: string): number {
  const port = Number(text);
  if (!/^\d{1,5}$/.test(text) || port > 65_535) throw new InvalidArgumentError('A port is 0 to 65535.');
  return port;
}

/** A camera's id as a person gives it. */
function parseCameraId(text: string): string {
  if (!isIdText(text)) throw new InvalidArgumentError('a camera id has 32 letters and digits.');
  return text;
}

/** Options and arguments that several commands share: spelled, described and parsed here alone. */

export const jsonOption = () => new Option('--json', 'print one JSON object instead of text');

export const forceOption = () => new Option('--force', 'replace files that are there already');

export const yesOption = (what: string) => new Option('--yes', what);

/** @param what the option's meaning where it is given. */
export const outOption = (what: string) => new Option('--out <file>', what);

/** A camera by its whole id, for commands that have no list of cameras to look it up in. */
export const cameraIdOption = (what: string) =>
  new Option('--camera <camera>', what).argParser(parseCameraId);

/** A camera by its id, the beginning of it, or its name. */
export const cameraOption = (what: string) => new Option('--camera <camera>', what);

export const serverOption = () =>
  new Option('--server <origin>', 'the server that the camera connects to: https://HOST[:PORT]');

export const pinOption = () =>
  new Option('--pin <pin>', "that server's pin; again for its backup pin").argParser(repeated);

export const publicOption = () =>
  new Option('--public <dir>', 'public documents, as oriel release keys made them');

export const passphraseOption = () =>
  new Option('--passphrase-file <file>', 'file with the passphrase of the keys');

export const hardwareOption = (what: string) => new Option('--hardware <board>', what);

export const certificateDaysOption = () =>
  new Option('--certificate-days <n>', "days that a camera's certificate is valid")
    .argParser(wholeNumber(1, 3650))
    .default(14);

/** @param fallback seconds. */
export const waitOption = (what: string, fallback: number) =>
  new Option('--wait <seconds>', what).argParser(wholeNumber(0, 99_999)).default(fallback);

export const agentUserOption = (what = 'run the agent as this user: a name, or UID:GID') =>
  new Option('--agent-user <user>', what);

export const captureUserOption = (what = 'run capture as this user, a member of the group video for V4L2') =>
  new Option('--capture-user <user>', what);

/** The directory of a server, first of all arguments of `oriel server`. */
export const serverDirectory = (note = '') =>
  new Argument('<dir>', `directory made by \`oriel server init\`${note}`);

/** For an option that may be given again. */
export const repeated = (value: string, before: readonly string[] = []): string[] => [...before, value];

/** Parses a whole number of at least `least` and at most `most`. */
export function wholeNumber(least: number, most: number) {
  return (text: string): number => {
    const number = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
    if (number >= least && number <= most) return number;
    throw new InvalidArgumentError(`give a whole number from ${least} to ${most}.`);
  };
}
