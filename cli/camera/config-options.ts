import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import * as v from 'valibot';
import { parseSource, type Source } from '../../agent/capture/source.ts';
import { CameraConfig, type CameraConfigText } from '../../agent/state/camera-directory.ts';
import { CommandError } from '../errors.ts';
import type { FirewallState } from './firewall-state.ts';

/** What a person chooses for a camera on the command line, whoever says which server and owner it gets. */
export interface CameraOptions extends FirewallState {
  readonly source: string;
  readonly audio?: boolean;
  readonly lan: readonly string[];
  readonly spoolBytes: number;
  readonly keepFree: number;
}

/** @throws CommandError USAGE. */
export function choiceOf(
  options: Omit<CameraOptions, keyof FirewallState>,
): Omit<CameraConfigText, 'version' | 'server' | 'owner'> {
  const source = sourceText(options.source);
  const choice = {
    source,
    audio: options.audio ?? false,
    lan: [...options.lan],
    spool: { maxBytes: options.spoolBytes, minFreeBytes: options.keepFree },
  };
  if (options.lan.some((host) => /[/@\s]/.test(host))) {
    throw new CommandError('USAGE', '--lan takes a host and nothing more: HOST or HOST:PORT');
  }
  checkConfig(v.omit(CameraConfig, ['version', 'server', 'owner']), choice);
  if (!parsed(source, options.lan).traits.sound && choice.audio) {
    throw new CommandError('USAGE', '--audio: a V4L2 camera brings no sound; leave the option out');
  }
  return choice;
}

function parsed(source: string, lan: readonly string[]): Source {
  try {
    return parseSource(source, lan);
  } catch (cause) {
    throw new CommandError('USAGE', `--source and --lan: ${(cause as Error).message}`, cause);
  }
}

/**
 * A source as it was given, or for `-` from standard input: a password in it has no place in a command line, which every
 * user of a machine can read.
 */
export const sourceText = (given: string) => absolute(given === '-' ? readFileSync(0, 'utf8').trim() : given);

/** @throws CommandError USAGE with what to give instead. */
export function checkConfig(schema: v.GenericSchema, config: unknown): void {
  const result = v.safeParse(schema, config);
  if (result.success) return;
  const field = v.getDotPath(result.issues[0]) ?? '';
  const hint = HINTS[field.split('.').slice(0, 2).join('.')];
  throw new CommandError('USAGE', hint ?? `${field} is not as it has to be`);
}

/** A file is meant as seen from here, wherever the camera is run from later. */
function absolute(source: string): string {
  const path = /^file:([^/].*)$/s.exec(source)?.[1];
  return path === undefined ? source : `file:${resolve(path)}`;
}

const HINTS: Readonly<Record<string, string>> = {
  'server.origin': '--server takes an origin and nothing more: https://HOST[:PORT]',
  'spool.maxBytes': '--spool-bytes takes at least 1M',
  owner: '--owner takes the identity that oriel keys show prints: 43 characters',
};
