import { equal } from '../crypto/bytes.ts';
import { ed25519FromSeed } from '../crypto/curves.ts';
import type { UpdateChoice } from '../crypto/policy.ts';
import { MAX_VIEWERS } from '../crypto/policy-fields.ts';
import { nodePrimitives } from '../crypto/primitives-node.ts';
import { MAX_SHARED_BYTES, readSharedDayKeys, type SharedDayKeys } from '../crypto/shared-day-keys.ts';
import { writeViewingKey } from '../crypto/viewing-key.ts';
import { checkOutput, readTextFile, withFileLocked, writeTextFile } from '../host/files.ts';
import { printable } from '../text/printable.ts';
import { MAX_POLICY_BYTES } from '../wire/enrolment.ts';
import { OwnerError } from './errors.ts';
import type { Output } from './output.ts';
import { policyWarnings, type SignedViewer, signPolicy, type WantedFloor } from './sign-policy.ts';
import { readViewingKey, viewerText } from './viewing-key-file.ts';

type Named = Pick<SharedDayKeys, 'identity' | 'name'> & { readonly id: string };

export interface PolicyFileRequest {
  readonly camera: string;
  /** File to write. */
  readonly out: string;
  readonly name: string;
  readonly audio?: boolean;
  readonly dayKey?: number;
  /** Files with the day keys of other viewers. */
  readonly viewer?: readonly string[];
  /** Each as `VIEWER:NUMBER`. */
  readonly floor?: readonly string[];
  readonly updates: UpdateChoice | undefined;
  /** Whether a file that is there is replaced. */
  readonly force?: boolean;
}

/** Signs the next policy of a camera, and writes it. @throws OwnerError USAGE; FileError; CryptoError for day keys that are none, or that leave nobody. */
export async function writePolicy(file: string, request: PolicyFileRequest, output: Output): Promise<void> {
  const {
    camera,
    name,
    out,
    audio = false,
    dayKey,
    viewer = [],
    floor = [],
    updates,
    force = false,
  } = request;
  const { say, warn } = output;
  checkOutput(out, { force, inputs: [file, ...viewer] });
  const viewers = await viewersIn(viewer);
  const { signed, named, dropped } = await withFileLocked(file, async () => {
    const key = readViewingKey(file, output);
    const own = { identity: new Uint8Array(ed25519FromSeed(key.seed).publicKey), name: key.name };
    const everybody = await Promise.all([own, ...viewers].map(withId));
    refuseTwice(everybody);
    const floors = floor.map((text) => floorFrom(text, everybody));
    const policy = signPolicy(key, { camera, name, audio, dayKey, viewers, floors, updates });
    if (policy.policyFile.length > MAX_POLICY_BYTES) {
      const most = `a policy file has at most ${MAX_POLICY_BYTES} bytes`;
      throw new OwnerError('USAGE', `${most}; have the viewers forget old day keys, and share again`);
    }
    // The key first: a counter once signed is never signed again, even if what follows fails.
    writeTextFile(file, writeViewingKey(policy.key), 0o600);
    writeTextFile(out, policy.policyFile, 0o600);
    const given = (identity: Uint8Array) => everybody.some((each) => equal(each.identity, identity));
    return {
      signed: policy,
      named: everybody,
      dropped: key.floors.filter(({ identity }) => !given(identity)),
    };
  });
  say(`signed policy 1.${signed.counter} for camera ${camera}: ${out}`);
  const nameOf = (each: SignedViewer) => {
    const at = signed.viewers.indexOf(each);
    return at === 0 ? 'you' : `viewer ${named[at]?.id} (${printable(each.name)})`;
  };
  for (const each of signed.viewers.filter(({ usable }) => usable > 0)) {
    say(`sealed to ${nameOf(each)}: day keys up to ${each.numbers.at(-1)}, none below ${each.floor}`);
  }
  for (const { identity } of dropped) {
    warn(
      `oriel: not sealed to viewer ${await viewerText(identity)} of an earlier policy; --viewer adds them`,
    );
  }
  for (const warning of policyWarnings(signed.viewers, nameOf)) warn(`oriel: ${warning}`);
}

async function viewersIn(files: readonly string[]): Promise<SharedDayKeys[]> {
  if (files.length >= MAX_VIEWERS) {
    throw new OwnerError('USAGE', `a policy has at most ${MAX_VIEWERS} viewers, you among them`);
  }
  return Promise.all(
    files.map((path) => readSharedDayKeys(readTextFile(path, MAX_SHARED_BYTES), nodePrimitives)),
  );
}

const withId = async ({ identity, name }: Pick<SharedDayKeys, 'identity' | 'name'>): Promise<Named> => ({
  identity,
  name,
  id: await viewerText(identity),
});

function refuseTwice(viewers: readonly Named[]): void {
  const twice = viewers.find(({ identity }, at) =>
    viewers.slice(0, at).some((each) => equal(each.identity, identity)),
  );
  if (twice === undefined) return;
  throw new OwnerError(
    'USAGE',
    `viewer ${twice.id} is given twice; your own day keys are there without --viewer`,
  );
}

/** `VIEWER:NUMBER`, the viewer by id or its first characters. @throws OwnerError USAGE. */
function floorFrom(text: string, viewers: readonly Named[]): WantedFloor {
  const [, start, number] = /^([a-z2-7]{4,32}):(\d{1,9})$/.exec(text) ?? [];
  if (start === undefined || number === undefined) {
    throw new OwnerError(
      'USAGE',
      '--floor takes VIEWER:NUMBER, as in 7xk2:31: a viewer id or its first characters, and the number of a day key',
    );
  }
  const meant = viewers.filter(({ id }) => id.startsWith(start));
  const [viewer] = meant;
  if (viewer === undefined || meant.length > 1) {
    const who = viewers.map(({ id, name }) => `${id} (${printable(name)})`).join(', ');
    throw new OwnerError(
      'USAGE',
      `--floor ${text}: ${meant.length} viewers of this policy begin so; they are ${who}`,
    );
  }
  return { identity: viewer.identity, floor: Number(number) };
}
