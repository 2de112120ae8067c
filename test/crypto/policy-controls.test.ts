import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { ed25519FromSeed } from '../../crypto/curves.ts';
import { signDayKeys } from '../../crypto/day-keys.ts';
import { type Policy, writePolicyFile } from '../../crypto/policy.ts';
import { type Breakage, breakBuild } from '../broken-build.ts';
import { termsOf } from './policy-maker.ts';

/** What holds policy and day keys together, each lock taken out in turn. */

const CAMERA = 'a'.repeat(32);
const owner = ed25519FromSeed(new Uint8Array(32).fill(1));
const keyOf = (seed: number) => new Uint8Array(32).fill(seed);
const named = signDayKeys({ first: 3, keys: [keyOf(3), keyOf(4)] }, owner);
const old = signDayKeys({ first: 0, keys: [keyOf(7), keyOf(8), keyOf(9), keyOf(10)] }, owner);

function fileWith(floor: number, ...dayKeys: (typeof named)[]): string {
  const policy: Policy = {
    camera: CAMERA,
    epoch: 1,
    counter: 2,
    viewers: [termsOf(owner.publicKey, floor, named)],
    mode: 'continuous',
    audio: false,
  };
  return writePolicyFile(policy, owner, dayKeys);
}

const SCRIPT = `
const [root, file, camera, owner] = process.argv.slice(1);
const from = (name) => import(root + '/crypto/' + name);
const { readFileSync } = await import('node:fs');
const { readPolicyFile } = await from('policy.ts');
const { nodePrimitives } = await from('primitives-node.ts');
const read = readPolicyFile(readFileSync(file, 'utf8'), camera, Buffer.from(owner, 'hex'), nodePrimitives);
console.log(await read.then(({ viewers }) => [...viewers[0].keys.keys()].join(), ({ code }) => code));
`;

/** What a build makes of the file: the numbers of the day keys that it takes, or the code of its refusal. */
function verdictOf(root: string, text: string): string {
  const room = mkdtempSync(join(tmpdir(), 'oriel-policy-'));
  try {
    const file = join(room, 'policy.json');
    writeFileSync(file, text);
    const words = [root, file, CAMERA, Buffer.from(owner.publicKey).toString('hex')];
    return execFileSync(process.execPath, ['--input-type=module', '-e', SCRIPT, '--', ...words], {
      encoding: 'utf8',
    }).trim();
  } finally {
    rmSync(room, { recursive: true });
  }
}

const POLICY = 'crypto/policy.ts';
const LOCKS: [string, string, string, string, Breakage][] = [
  // what is brought, refused by, what a build without the lock takes
  [
    'an old batch in the place of the one named',
    'DAY_KEYS_MISSING',
    fileWith(3, old),
    '0,1,2,3',
    { file: POLICY, from: 'equal(each.hash, hash) && ', to: '' },
  ],
  [
    'an old batch besides',
    'DAY_KEYS_UNNAMED',
    fileWith(3, named, old),
    '3,4',
    { file: POLICY, from: '!wanted.has(batch)', to: 'false' },
  ],
  [
    'keys below the floor alone',
    'DAY_KEYS_BELOW_FLOOR',
    fileWith(5, named),
    '3,4',
    { file: 'crypto/day-keys.ts', from: '.filter((number) => number >= floor)', to: '' },
  ],
];

test.each(LOCKS)(
  '[FC-21] %s is refused: %s; control: without its check the file is obeyed [TM-19]',
  (_, code, text, taken, lock) => {
    expect(verdictOf(join(import.meta.dirname, '../..'), text)).toBe(code);
    const broken = breakBuild(lock);
    try {
      expect(verdictOf(broken.root, text)).toBe(taken);
    } finally {
      broken.remove();
    }
  },
);
