import { createInterface } from 'node:readline/promises';
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { Rollout } from '../../ota/rollout.ts';
import type { Signer } from '../../ota/tuf-metadata.ts';
import { passphraseOption, repeated } from '../options.ts';

/**
 * Shows what is to be signed, and asks whether to. Where nobody sits at a terminal it is shown alone.
 * @param unasked whether the person has said yes beforehand.
 */
export async function confirm(lines: readonly string[], unasked: boolean): Promise<boolean> {
  print(lines);
  if (unasked || !process.stdin.isTTY || !process.stdout.isTTY) return true;
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  try {
    return /^y(es)?$/i.test((await terminal.question('Sign this? [y/N] ')).trim());
  } finally {
    terminal.close();
  }
}

/** What the verbs of `oriel release` share. */

export interface SigningOptions {
  readonly key?: string[];
  readonly online?: string;
  readonly passphraseFile?: string;
}

/** Adds the options of a change to the repository: with all keys at hand it is in force at once. */
export function withSigning(command: Command): Command {
  return command
    .option('--key <file>', 'private release key to sign with at once; may be repeated', repeated)
    .option('--online <file>', 'private key of snapshot and timestamp, to put it into force at once')
    .addOption(passphraseOption());
}

export async function readSigners(
  files: readonly string[],
  passphraseFile: string | undefined,
): Promise<Signer[]> {
  const { readKeyFile, readPassphrase } = await import('../../ota/release/key-file.ts');
  const passphrase = readPassphrase(passphraseFile);
  return files.map((file) => readKeyFile(file, passphrase));
}

export function print(lines: readonly string[]): void {
  for (const line of lines) console.log(line);
}

export function parsePercentage(text: string): number {
  const percentage = Number(text);
  if (!/^\d{1,3}(\.\d{1,3})?$/.test(text) || percentage > 100) throw new InvalidArgumentError('0 to 100.');
  return percentage;
}

/** Those of ota/rollout.ts, which is not loaded to show a help text. */
const SEVERITIES: readonly Rollout['severity'][] = ['none', 'low', 'moderate', 'high', 'critical'];

export const severityOption = () =>
  new Option('--severity <how>', 'how bad the worst fault is that it mends')
    .choices(SEVERITIES)
    .default('none');
