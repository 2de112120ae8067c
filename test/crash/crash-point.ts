import childProcess from 'node:child_process';
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';

/**
 * Loaded before a program (`node --import`): notes every call by which it changes what lies below KILL_BELOW, and every
 * process that it starts, and kills the program before the call of number KILL_AT among those whose note matches
 * KILL_ONLY. What it kills it kills as the kernel would: nothing runs any more.
 */
const { KILL_BELOW = '', KILL_AT = '0', KILL_ONLY = '', KILL_NOTES = '' } = process.env;
const only = new RegExp(KILL_ONLY);
const notes = fs.openSync(KILL_NOTES, 'a');
const note = fs.writeSync;
const REMOVALS = new Set(['unlink', 'remove', 'rmdir']);
let calls = 0;

function before(call: string, subject: unknown): void {
  const path = String(subject);
  if (call !== 'spawn' && !path.startsWith(KILL_BELOW)) return;
  // What is not there cannot be removed: how often that is tried is a question of time.
  if (REMOVALS.has(call) && !fs.existsSync(path)) return;
  const line = `${call} ${path.replace(KILL_BELOW, '')}`;
  note(notes, `${line}\n`);
  if (!only.test(line)) return;
  calls += 1;
  if (calls === Number(KILL_AT)) process.kill(process.pid, 'SIGKILL');
}

type Call = (this: unknown, ...args: unknown[]) => unknown;

/** Has `name` of a module or prototype noted as `call` before it is done. */
function watch(
  owner: object,
  name: string,
  call: string,
  subjectOf: (self: unknown, args: unknown[]) => unknown,
) {
  const original: Call = Reflect.get(owner, name);
  Reflect.set(owner, name, function (this: unknown, ...args: unknown[]) {
    before(call, subjectOf(this, args));
    return Reflect.apply(original, this, args);
  });
}

const first = (_: unknown, [path]: unknown[]) => path;

/** By the names of node:fs, of which there are two each: one that returns a promise, and one that is done at once. */
const CHANGES = {
  rename: 'rename',
  writeFile: 'write',
  appendFile: 'write',
  copyFile: 'write',
  truncate: 'truncate',
  unlink: 'unlink',
  rm: 'remove',
  rmdir: 'rmdir',
  mkdir: 'mkdir',
  mkdtemp: 'mkdir',
  chmod: 'chmod',
};
for (const [name, call] of Object.entries(CHANGES)) {
  watch(fs.promises, name, call, first);
  watch(fs, `${name}Sync`, call, first);
}
watch(childProcess, 'spawn', 'spawn', (_, [program, args]) => programOf(program, args));
watch(childProcess, 'spawnSync', 'spawn', (_, [program, args]) => programOf(program, args));

/** What is run in the end, of a command under others. */
function programOf(program: unknown, args: unknown): string {
  const words = [program, ...(Array.isArray(args) ? args : [])].map(String);
  return words.slice(words.indexOf('--') + 1)[0] ?? '';
}

/** Of an open file's methods. */
const FILE_CHANGES = {
  write: 'write',
  writeFile: 'write',
  truncate: 'truncate',
  chmod: 'chmod',
  sync: 'fsync',
  datasync: 'fsync',
};
const paths = new WeakMap<object, string>();
const { open } = fs.promises;
const handle = await open('/dev/null');
for (const [name, call] of Object.entries(FILE_CHANGES)) {
  watch(Object.getPrototypeOf(handle), name, call, (self) => paths.get(self as object) ?? '');
}
await handle.close();
Reflect.set(fs.promises, 'open', async (path: string, flags: unknown = 'r', ...rest: never[]) => {
  if (mayCreate(flags) && !fs.existsSync(path)) before('create', path);
  const opened = await open(path, flags as string, ...rest);
  paths.set(opened, path);
  return opened;
});

function mayCreate(flags: unknown): boolean {
  return typeof flags === 'number' ? (flags & fs.constants.O_CREAT) !== 0 : /[wa]/.test(String(flags));
}

syncBuiltinESMExports();
