import {
  chmodSync,
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import {
  type Bundle,
  FILES_DIRECTORY,
  MANIFEST_FILE,
  parseBundle,
  RUNTIME_PATH,
  SIGNATURES_FILE,
} from '../ota/bundle.ts';
import { OtaError } from '../ota/errors.ts';
import { ANCHOR_FILE, HARDWARE_FILE, ROOT_FILE } from '../ota/installation.ts';
import { KEY_LIST_FILE, KEY_LIST_SIGNATURES_FILE, parseAnchor } from '../ota/key-list.ts';
import { LIMITS_FILE, parseLimits } from '../ota/launcher-limits.ts';
import { verifyBundle } from '../ota/verify-bundle.ts';
import { bundleLauncher } from './bundle.ts';
import { ROOT } from './release/lockfile.ts';

/** Makes of a signed bundle what a board is installed from; `oriel release kit` runs it. */

const BUNDLE_DIRECTORY = 'bundle';
const DOCUMENTS = [MANIFEST_FILE, SIGNATURES_FILE, KEY_LIST_FILE, KEY_LIST_SIGNATURES_FILE];
/** Where they lie under `docs`: links between them hold in the kit too. */
const PAGES = ['design/hardening.md', 'design/slots.md', 'design/updates.md', 'guide/operations.md'];
const PROGRAMS = ['install', 'oriel'];
const LAUNCHER = 'oriel-launcher';
/** Debian's names, by ELF's e_machine. */
const ARCHITECTURES: Readonly<Record<number, string>> = { 62: 'amd64', 183: 'arm64' };

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { public: { type: 'string' }, hardware: { type: 'string' }, limits: { type: 'string' } },
});

async function makeKit(): Promise<void> {
  const [target, source] = positionals.map((path) => resolve(path));
  if (target === undefined || source === undefined || values.public === undefined) {
    throw new Error('usage: build-kit DIR BUNDLE --public PUBLIC_DIR [--hardware BOARD] [--limits FILE]');
  }
  if (existsSync(target)) throw new Error(`${target} is there already`);
  mkdirSync(dirname(target), { recursive: true });
  // Beside the target, so that one that breaks off leaves nothing under its name.
  const scratch = mkdtempSync(join(dirname(target), '.oriel-kit-'));
  try {
    chmodSync(scratch, 0o755);
    const documents = resolve(values.public);
    const bundle = await takeBundle(scratch, source, documents);
    await addLauncher(scratch);
    addUnits(scratch);
    renameSync(scratch, target);
    console.log(`kit: ${target}: ${bundle.version} for ${boardOf(bundle)}`);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** What is verified is the copy. */
async function takeBundle(kit: string, source: string, documents: string): Promise<Bundle> {
  const copy = join(kit, BUNDLE_DIRECTORY);
  for (const name of DOCUMENTS) {
    if (existsSync(join(source, name))) continue;
    const way =
      name === SIGNATURES_FILE
        ? `nobody has signed it yet: oriel release sign ${source} --key KEY`
        : 'is it a bundle?';
    throw new OtaError(
      name === SIGNATURES_FILE ? 'SIGNATURES_MISSING' : 'FILE_MISSING',
      `${source} has no ${name}: ${way}`,
    );
  }
  const bundle = parseBundle(readFileSync(join(source, MANIFEST_FILE)));
  for (const name of DOCUMENTS) copyFile(join(source, name), join(copy, name), 0o644);
  for (const { path, mode } of bundle.files) {
    const file = join(FILES_DIRECTORY, path);
    copyFile(join(source, file), join(copy, file), Number.parseInt(mode, 8));
  }
  const hardware = boardOf(bundle);
  const { keys, threshold, product } = parseAnchor(readFileSync(join(documents, ANCHOR_FILE)));
  const verified = await verifyBundle(copy, {
    root: { keys, threshold },
    keysCounter: 0,
    product,
    hardware,
  });
  for (const name of [ANCHOR_FILE, ROOT_FILE]) copyFile(join(documents, name), join(kit, name), 0o644);
  place(join(kit, HARDWARE_FILE), `${hardware}\n`);
  if (values.limits !== undefined) {
    parseLimits(readFileSync(values.limits));
    copyFile(values.limits, join(kit, LIMITS_FILE), 0o644);
  }
  place(join(kit, 'architecture'), `${architectureOf(join(copy, FILES_DIRECTORY, RUNTIME_PATH))}\n`);
  return verified.bundle;
}

function boardOf({ hardware }: Bundle): string {
  const board = values.hardware ?? hardware[0];
  if (board === undefined || (values.hardware === undefined && hardware.length > 1)) {
    throw new Error(`the bundle is for ${hardware.join(', ')}: give one of them with --hardware`);
  }
  return board;
}

function architectureOf(program: string): string {
  const bytes = readFileSync(program);
  const architecture = ARCHITECTURES[bytes.length < 20 ? 0 : bytes.readUInt16LE(18)];
  if (architecture === undefined || bytes.toString('latin1', 0, 4) !== '\x7fELF') {
    throw new Error(`${program} is no program for x86-64 or AArch64`);
  }
  return architecture;
}

/** It has the bundle's runtime: a second name of the same file, which tar(1) packs once. */
async function addLauncher(kit: string): Promise<void> {
  const directory = join(kit, 'launcher');
  const runtime = join(directory, RUNTIME_PATH);
  mkdirSync(dirname(runtime), { recursive: true });
  linkSync(join(kit, BUNDLE_DIRECTORY, FILES_DIRECTORY, RUNTIME_PATH), runtime);
  const program = join(directory, 'launcher.mjs');
  await bundleLauncher(program);
  chmodSync(program, 0o644);
  copyFile(join(ROOT, 'deploy/kit', LAUNCHER), join(directory, LAUNCHER), 0o755);
}

function addUnits(kit: string): void {
  const deploy = join(ROOT, 'deploy');
  for (const unit of readdirSync(join(deploy, 'systemd')).filter((name) => name.startsWith('oriel-camera'))) {
    copyFile(join(deploy, 'systemd', unit), join(kit, 'systemd', unit), 0o644);
  }
  for (const name of ['sysusers.d/oriel.conf', 'tmpfiles.d/oriel.conf']) {
    copyFile(join(deploy, name), join(kit, name), 0o644);
  }
  for (const name of readdirSync(join(deploy, 'kit')).filter((one) => one !== LAUNCHER)) {
    copyFile(join(deploy, 'kit', name), join(kit, name), PROGRAMS.includes(name) ? 0o755 : 0o644);
  }
  for (const page of PAGES) copyFile(join(ROOT, 'docs', page), join(kit, 'docs', page), 0o644);
}

/** What files and directories may be read by does not come from this machine's umask. */
function copyFile(from: string, to: string, mode: number): void {
  mkdirSync(dirname(to), { recursive: true });
  copyFileSync(from, to);
  chmodSync(to, mode);
}

function place(path: string, content: string): void {
  writeFileSync(path, content);
  chmodSync(path, 0o644);
}

try {
  process.umask(0o022);
  await makeKit();
} catch (error) {
  const { message, code } = error as { message: string; code?: unknown };
  console.error(`kit: ${message}${typeof code === 'string' ? ` [${code}]` : ''}`);
  process.exitCode = 1;
}
