import { join } from 'node:path';
import * as v from 'valibot';
import { fromUtf8, utf8 } from '../crypto/bytes.ts';
import { canonicalHost } from '../crypto/host-name.ts';
import { originAt } from '../crypto/origin.ts';
import { Pin } from '../crypto/pin.ts';
import { readFileBounded, writeFileAtomic } from '../host/atomic-file.ts';
import type { Disk } from '../host/disk.ts';
import { ServerError } from './errors.ts';

/** What stands in a server's directory beside its keys. */

/** However it was typed. */
const Host = v.pipe(
  v.string(),
  v.maxLength(253),
  v.rawTransform(({ dataset, addIssue, NEVER }) => {
    try {
      return canonicalHost(dataset.value);
    } catch (error) {
      addIssue({ message: (error as Error).message });
      return NEVER;
    }
  }),
);

/** server.json. */
export const Configuration = v.strictObject({
  version: v.literal(1),
  /** Names and addresses that cameras dial, each in its one spelling, and the port. */
  hosts: v.pipe(v.array(Host), v.minLength(1), v.maxLength(32)),
  port: v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(65_535)),
  pin: Pin,
  backupPin: Pin,
});
export type Configuration = v.InferOutput<typeof Configuration>;

const MAX_FILE_BYTES = 64 * 1024;

export const identityFile = (directory: string, name: string) => join(directory, 'identity', name);

/** @throws ServerError DIRECTORY_MALFORMED; HostError. */
export async function loadConfiguration(disk: Disk, directory: string): Promise<Configuration> {
  const text = await readText(disk, join(directory, 'server.json'));
  try {
    return v.parse(Configuration, JSON.parse(text));
  } catch (cause) {
    const { message } = cause as Error;
    throw new ServerError(
      'DIRECTORY_MALFORMED',
      `${directory}/server.json is damaged: ${message}; correct it, or restore a backup: oriel server restore NEW_DIR FILE`,
      cause,
    );
  }
}

/** @throws HostError. */
export async function writeConfiguration(
  disk: Disk,
  directory: string,
  configuration: Configuration,
): Promise<void> {
  const text = `${JSON.stringify(configuration, undefined, 2)}\n`;
  await writeFileAtomic(disk, join(directory, 'server.json'), utf8(text), 0o600);
}

/** A whole small text file. @throws ServerError DIRECTORY_MALFORMED when it is missing. */
export async function readText(disk: Disk, path: string): Promise<string> {
  const bytes = await readFileBounded(disk, path, MAX_FILE_BYTES);
  if (bytes === undefined) {
    throw new ServerError(
      'DIRECTORY_MALFORMED',
      `${path} is missing: is this a directory of \`oriel server init\`?`,
    );
  }
  return fromUtf8(bytes);
}

/** What cameras may dial, as `https://HOST[:PORT]`. */
export function origins(hosts: readonly string[], port: number): string[] {
  return hosts.map((host) => originAt(host, port));
}
