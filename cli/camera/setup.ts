import { existsSync } from 'node:fs';
import { parseSource } from '../../agent/capture/source.ts';
import { setUpAs } from '../../agent/firewall/destinations.ts';
import { keepDestinations, withNothingAdopted } from '../../agent/firewall/destinations-file.ts';
import { setupCamera } from '../../agent/pairing/setup-camera.ts';
import { claimCamera } from '../../agent/state/camera-claim.ts';
import { CameraDirectory, readLimited } from '../../agent/state/camera-directory.ts';
import { nodePrimitives } from '../../crypto/primitives-node.ts';
import { MAX_SETUP_CODE_LENGTH, readSetupCode } from '../../crypto/setup-code.ts';
import { asOwnerOf, lesserOwner } from '../../host/as-owner.ts';
import { systemDisk } from '../../host/disk.ts';
import { readSecretFile } from '../../host/secret-file.ts';
import { CommandError } from '../errors.ts';
import { type CameraOptions, choiceOf } from './config-options.ts';

export interface SetupOptions extends CameraOptions {
  readonly code?: string;
}

const MAX_CODE_FILE_BYTES = 2 * MAX_SETUP_CODE_LENGTH;

/** `oriel camera setup`. @returns the camera's id and its server. */
export async function setup(dir: string, options: SetupOptions): Promise<{ camera: string; server: string }> {
  const directory = new CameraDirectory(dir);
  if (options.code === '-' && options.source === '-') {
    throw new CommandError('USAGE', 'code and source cannot both come from standard input');
  }
  const choice = choiceOf(options);
  const text = codeFrom(directory, options.code);
  const { origin, owner } = await readSetupCode(text, nodePrimitives);
  const source = parseSource(choice.source, choice.lan).dials;
  const camera = await withNothingAdopted(options.firewallState, dir, () =>
    asOwnerOf(dir, () => claimed(directory, () => setupCamera(directory, systemDisk, text, choice))),
  );
  // The directory's owner may have altered what was just written: root goes by what it was given itself.
  await keepDestinations(options.firewallState, dir, (kept) =>
    setUpAs(kept, { camera, owner: new Uint8Array(owner), origin, source }),
  );
  return { camera, server: origin };
}

/** Does something to a camera that nobody else runs or changes meanwhile. */
async function claimed<T>(directory: CameraDirectory, act: () => Promise<T>): Promise<T> {
  directory.make();
  const release = await claimCamera(directory, 'alone');
  try {
    return await act();
  } finally {
    release();
  }
}

/** Where a setup code comes from, in this order: the option, the environment, the camera's directory. */
function codeFrom(directory: CameraDirectory, option: string | undefined): string {
  if (option !== undefined && /^\s*oriel\d+:/i.test(option)) {
    throw new CommandError(
      'USAGE',
      '--code takes a file that holds the setup code; the code itself is known now to whoever saw this command line: make another with oriel keys pair',
    );
  }
  if (option !== undefined) return readSecretFile('--code', option, MAX_CODE_FILE_BYTES);
  const fromEnvironment = process.env.ORIEL_SETUP_CODE;
  if (fromEnvironment !== undefined && fromEnvironment !== '') return fromEnvironment;
  if (existsSync(directory.setupCode)) {
    if (lesserOwner(directory.path) === undefined)
      return readLimited(directory.setupCode, MAX_CODE_FILE_BYTES);
    throw new CommandError(
      'USAGE',
      `root takes no setup code from ${directory.path}, where its owner could have put another: give it with --code ${directory.setupCode} if it is yours`,
    );
  }
  throw new CommandError(
    'USAGE',
    `no setup code: give --code FILE, ORIEL_SETUP_CODE or ${directory.setupCode}; its owner makes it with oriel keys pair`,
  );
}
