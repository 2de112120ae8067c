import { createSocket } from 'node:dgram';
import type { EventEmitter } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';

/**
 * Tries what a camera must not do, and what it must, in whatever it is run: `node attempts.ts SERVER-FILE`. Prints a
 * line each: `what outcome`, where the outcome is `done` or the system's refusal.
 */
const [, , serverFile = ''] = process.argv;
const [server = '', port = ''] = readFileSync(serverFile, 'utf8').trim().split(' ');
/** QEMU's own resolver: there, but on no list. */
const ELSEWHERE = { host: '10.0.2.3', port: 53 };
/** For what answers at once unless it is kept from it; a machine that is emulated takes its time. */
const PATIENCE_MS = 60_000;
/** For what may be met with silence. */
const SILENCE_MS = 10_000;

const settle = (emitter: EventEmitter, success: string, patienceMs = PATIENCE_MS): Promise<string> =>
  new Promise((resolve) => {
    emitter.once('error', (error: NodeJS.ErrnoException) => resolve(String(error.code)));
    emitter.once(success, () => resolve('done'));
    setTimeout(resolve, patienceMs, 'silence');
  });

function writeSystem(): string {
  try {
    writeFileSync('/etc/attempt', '');
    return 'done';
  } catch (error) {
    return String((error as NodeJS.ErrnoException).code);
  }
}

const attempts: Record<string, () => string | Promise<string>> = {
  listen: () => settle(createServer().listen(0, '0.0.0.0'), 'listening'),
  'listen-v6': () => settle(createServer().listen(0, '::1'), 'listening'),
  'listen-unix': () => settle(createServer().listen(`/tmp/attempt-${process.pid}.socket`), 'listening'),
  bind: () => settle(createSocket('udp4').bind(0), 'listening'),
  'dial-server': () => settle(connect(Number(port), server), 'connect'),
  'dial-elsewhere': () => settle(connect(ELSEWHERE), 'connect', SILENCE_MS),
  'write-system': writeSystem,
};
for (const [name, attempt] of Object.entries(attempts)) console.log(`${name} ${await attempt()}`);
process.exit();
