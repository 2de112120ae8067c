import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import { ORIEL } from '../../scripts/demonstration/oriel-command.ts';

/** A release for arm64, made here and started under QEMU's user emulation. */

const MINUTES = 60_000;
const room = mkdtempSync(join(tmpdir(), 'oriel-arm64-'));
const inRoom = (name: string) => join(room, name);
afterAll(() => rmSync(room, { recursive: true }));

/** @returns the directory of its files. */
function buildRelease(): string {
  const [bundle, keys] = [inRoom('bundle'), inRoom('public')];
  mkdirSync(keys);
  for (const name of ['keys.json', 'keys-signatures.json']) writeFileSync(join(keys, name), '{}');
  execFileSync(ORIEL, ['release', 'build', bundle, '--arch', 'arm64', '--public', keys]);
  return join(bundle, 'files');
}

/** What a release finds on any Debian for arm64: the libraries that its runtime is linked against. */
function makeSystem(): string {
  const system = inRoom('system');
  execFileSync(join(import.meta.dirname, 'debian-libraries.sh'), ['arm64', system]);
  return system;
}

test(
  'a release for arm64 starts on arm64: the runtime, the program, its cryptography, and sharp',
  () => {
    const system = makeSystem();
    const files = buildRelease();
    const program = join(files, 'app/oriel.mjs');
    const onArm64 = (...args: readonly string[]) =>
      execFileSync('qemu-aarch64-static', ['-L', system, join(files, 'bin/node'), ...args], {
        encoding: 'utf8',
        cwd: join(files, 'app'),
      });
    expect(onArm64('-p', 'process.arch')).toBe('arm64\n');
    expect(onArm64(program, '--version')).toMatch(/^\d+\.\d+\.\d+\n$/);
    const key = inRoom('viewing.key');
    onArm64(program, 'keys', 'new', key, '--name', 'arm64');
    const show = ['keys', 'show', key, '--json'];
    expect(onArm64(program, ...show)).toBe(execFileSync(ORIEL, show, { encoding: 'utf8' }));
    const sharp = "require('@img/sharp-linux-arm64/sharp.node').libvipsVersion().semver";
    expect(onArm64('-p', sharp)).toMatch(/^8\.\d+\.\d+\n$/);
  },
  10 * MINUTES,
);
