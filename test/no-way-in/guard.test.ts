import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { ORIEL_ROOT } from './test-deployment.ts';

const GUARD = join(ORIEL_ROOT, 'host/no-listen.ts');
const CLOSE_DOORS = join(ORIEL_ROOT, 'cli/camera/role-process.ts');

/** Each opens a door, and gives what closes it again. */
const ATTEMPTS = {
  'net.Server.listen': `(await import('node:net')).createServer().listen(0)`,
  'a Unix socket': `(await import('node:net')).createServer().listen('\\0oriel-guard-test')`,
  'http.Server.listen': `(await import('node:http')).createServer().listen(0)`,
  'https.Server.listen': `(await import('node:https')).createServer().listen(0)`,
  'http2.createServer': `(await import('node:http2')).createServer().listen(0)`,
  'http2.createSecureServer': `(await import('node:http2')).createSecureServer().listen(0)`,
  'tls.Server.listen': `(await import('node:tls')).createServer().listen(0)`,
  'dgram.createSocket': `(await import('node:dgram')).createSocket('udp4').bind(0)`,
  'dgram.createSocket over IPv6': `(await import('node:dgram')).createSocket('udp6').bind(0)`,
  'new dgram.Socket': `new (await import('node:dgram')).default.Socket('udp4').bind(0)`,
  'a datagram sent': `new (await import('node:dgram')).default.Socket('udp4').send('x', 9, '127.0.0.1')`,
  'cluster.setupPrimary': `(await import('node:cluster')).default.setupPrimary({ exec: '/dev/null', execArgv: [] })`,
  'cluster.fork': `(await import('node:cluster')).default.fork()`,
  'inspector.open': `(await import('node:inspector')).open(0)`,
  'worker_threads.Worker': `new (await import('node:worker_threads')).Worker('0', { eval: true })`,
};

/** Runs code as a module of its own, loaded before anything else. */
function run(code: string) {
  const args = ['--disable-warning=ExperimentalWarning', '--input-type=module', '--eval', code];
  return spawnSync(process.execPath, args, { encoding: 'utf8', env: {} });
}

/** What becomes of each attempt: the code of its refusal, or `open`. */
function outcomes(before: string): Record<string, string> {
  const attempts = Object.entries(ATTEMPTS).map(
    ([name, code]) => `try { ${code}; out[${JSON.stringify(name)}] = 'open' }
      catch (error) { out[${JSON.stringify(name)}] = String(error.code) }`,
  );
  const code = `${before}; const out = {}; ${attempts.join('\n')}; console.log(JSON.stringify(out)); process.exit()`;
  const { stdout, stderr } = run(code);
  if (!stdout.startsWith('{')) throw new Error(stderr);
  return JSON.parse(stdout);
}

const guarded = `const { refuseListening } = await import(${JSON.stringify(GUARD)}); refuseListening(() => undefined)`;

test('with the guard every way to listen is refused by its code', () => {
  const refused = Object.fromEntries(Object.keys(ATTEMPTS).map((name) => [name, 'LISTEN_REFUSED']));
  expect(outcomes(guarded)).toEqual(refused);
});

test('control: without the guard every one of them opens a door [TM-01]', () => {
  const open = Object.fromEntries(Object.keys(ATTEMPTS).map((name) => [name, 'open']));
  expect(outcomes('')).toEqual(open);
});

test('the guard cannot be taken off', () => {
  const { stdout } = run(`${guarded};
    const net = (await import('node:net')).default;
    try { net.Server.prototype.listen = () => 0 } catch (error) { console.log(error.name) }
    try { Object.defineProperty(net.Server.prototype, 'listen', { value: 0 }) } catch (error) { console.log(error.name) }`);
  expect(stdout).toBe('TypeError\nTypeError\n');
});

test('a role that tries to listen ends at once, even if the error is caught, and the log says why', () => {
  const { status, stdout, stderr } = run(`
    const { closeDoors } = await import(${JSON.stringify(CLOSE_DOORS)});
    closeDoors('agent');
    const { createServer } = await import('node:http');
    try { createServer().listen(0) } catch {}
    console.log('still here')`);
  expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
  expect(JSON.parse(stderr)).toMatchObject({ level: 60, process: 'agent', code: 'LISTEN_REFUSED' });
});
