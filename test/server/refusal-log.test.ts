import { connect as connectTcp } from 'node:net';
import { REFUSAL_LOG_RULES, RefusalLog } from '../../server/http/refusal-log.ts';
import type { Log } from '../../server/log.ts';
import { ask, closed, closeTestServers, openTestServer } from './test-server.ts';

afterEach(closeTestServers);

const { burst } = REFUSAL_LOG_RULES.perAddress;

function logging(rules = REFUSAL_LOG_RULES) {
  const lines: string[] = [];
  let now = 0;
  const info = (fields: object, message: string) => lines.push(`${message} ${JSON.stringify(fields)}`);
  const log = { info } as unknown as Log;
  return {
    log: new RefusalLog(log, () => now, rules),
    lines,
    pass: (ms: number) => {
      now += ms;
    },
  };
}

test('one address fills no log: what is left out is counted, and said at the end', () => {
  const { log, lines, pass } = logging();
  for (let i = 0; i < 1000; i++) log.say('192.0.2.1', { i }, 'turned away');
  log.say('192.0.2.2', {}, 'turned away');
  expect(lines).toHaveLength(burst + 1);
  pass(REFUSAL_LOG_RULES.perAddress.refillMs);
  log.say('192.0.2.1', { i: 1000 }, 'turned away');
  expect(lines.at(-1)).toBe('turned away {"i":1000}');
  log.close();
  log.close();
  expect(lines.at(-1)).toBe(`more were refused {"count":${1000 - burst}}`);
  expect(lines).toHaveLength(burst + 3);
});

test('nor do a hundred thousand', () => {
  const { log, lines } = logging();
  for (let i = 0; i < 100_000; i++) log.say(`10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`, {}, 'turned away');
  expect(lines).toHaveLength(REFUSAL_LOG_RULES.inAll.burst);
  log.close();
});

test('while it goes on, what was left out is said now and then', async () => {
  const { log, lines } = logging({ ...REFUSAL_LOG_RULES, summaryMs: 10 });
  for (let i = 0; i < burst + 3; i++) log.say('192.0.2.1', {}, 'turned away');
  while (lines.length === burst) await new Promise((resolve) => setTimeout(resolve, 10));
  expect(lines.at(-1)).toBe('more were refused {"count":3}');
});

test('a gate under such a stranger writes so much and no more', async () => {
  const { port, logged, stop } = await openTestServer();
  for (let i = 0; i < 2 * burst; i++) {
    const socket = connectTcp(port, '127.0.0.1').on('error', () => undefined);
    socket.write('this is no handshake');
    await closed(socket);
    await ask(port, undefined, 'GET', '/v1/policy');
  }
  await stop();
  const written = (text: string) => logged.filter(({ message }) => message === text);
  expect(written('turned away')).toHaveLength(burst);
  expect(written('refused')).toHaveLength(burst);
  expect(written('more were refused')).toEqual([expect.objectContaining({ fields: { count: burst } })]);
});
