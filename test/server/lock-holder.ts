import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { exitOf } from '../exit-of.ts';

/** Another process that holds a database's write lock until it is told to let go. */
export interface LockHolder {
  readonly pid: number;
  release(): Promise<void>;
}

const HOLD = `
import { DatabaseSync } from 'node:sqlite';
const db = new DatabaseSync(process.argv[1], { timeout: 5000 });
db.exec('BEGIN IMMEDIATE');
console.log('held');
process.stdin.resume().once('end', () => db.exec('COMMIT'));
`;

export async function holdLock(path: string): Promise<LockHolder> {
  const child = spawn(process.execPath, ['--input-type=module', '-e', HOLD, path], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  await once(createInterface({ input: child.stdout }), 'line');
  return {
    pid: child.pid as number,
    async release() {
      child.stdin.end();
      await exitOf(child);
    },
  };
}
