import fc from 'fast-check';
import { type Ending, reconnectDelayMs } from '../../agent/control/control.ts';
import { Outbox } from '../../agent/control/outbox.ts';
import { RequestLog, Requests, requestHandlers } from '../../agent/control/requests.ts';
import { telemetryOf } from '../../agent/control/telemetry.ts';
import { type AgentStatus, idlePipeline, unpairedStatus } from '../../agent/status/status.ts';
import { encodeMessage, MAX_MESSAGE_BYTES, parseMessage } from '../../wire/control.ts';
import { ManualClock } from '../faults/manual-clock.ts';
import { telemetry } from '../wire/telemetry.ts';

describe('when to dial again', () => {
  test.each<[Ending, number, number, number]>([
    ['renewed', 0, 0.999, 0],
    ['lost', 0, 0, 0],
    ['lost', 0, 0.5, 2_500],
    ['unreachable', 1, 0.5, 1_500],
    ['unreachable', 2, 0.5, 3_000],
    ['unreachable', 5, 0.5, 24_000],
    ['unreachable', 6, 0.5, 45_000],
    ['unreachable', 1_000_000, 0.5, 45_000],
    ['refused', 1, 0.5, 22_500],
    ['refused', 5, 0.5, 360_000],
    ['refused', 6, 0.5, 450_000],
    ['refused', 1_000_000, 0.5, 450_000],
  ])('%s, %i failures, chance %d: %d ms', (ending, failures, random, delayMs) => {
    expect(reconnectDelayMs(ending, failures, random)).toBe(delayMs);
  });

  test('a fleet that lost its server at once comes back spread evenly', () => {
    const delays = Array.from({ length: 500 }, (_, i) => reconnectDelayMs('lost', 0, i / 500));
    for (let second = 0; second < 5; second++) {
      expect(delays.filter((ms) => Math.floor(ms / 1000) === second)).toHaveLength(100);
    }
  });
});

describe('the outbox', () => {
  const bytes = (n: number) => Uint8Array.of(n);
  const numbers = (outbox: Outbox) => {
    const sent: number[] = [];
    for (let next = outbox.next(); next !== undefined; next = outbox.next()) {
      sent.push(next.bytes[0] ?? -1);
      outbox.sent(next);
    }
    return sent;
  };

  test('sends replies first, then telemetry, then snapshots, each in their order', () => {
    const outbox = new Outbox();
    outbox.put('snapshot', bytes(5));
    outbox.put('telemetry', bytes(3));
    outbox.put('telemetry', bytes(4));
    outbox.put('reply', bytes(1));
    outbox.put('reply', bytes(2));
    expect(numbers(outbox)).toEqual([1, 2, 3, 4, 5]);
    expect(outbox.dropped).toBe(0);
  });

  test('keeps a message until it is sent', () => {
    const outbox = new Outbox();
    outbox.put('reply', bytes(1));
    const first = outbox.next();
    expect(outbox.next()).toBe(first);
    if (first !== undefined) outbox.sent(first);
    expect(outbox.next()).toBeUndefined();
  });

  test('is bounded: of each kind the newest stay, and what is dropped is counted', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom('reply', 'telemetry', 'snapshot'), { maxLength: 60 }), (kinds) => {
        const outbox = new Outbox({ reply: 2, telemetry: 5, snapshot: 1 });
        for (const [i, kind] of kinds.entries()) outbox.put(kind, bytes(i));
        const last = (kind: string, count: number) =>
          kinds.flatMap((each, i) => (each === kind ? [i] : [])).slice(-count);
        const kept = [...last('reply', 2), ...last('telemetry', 5), ...last('snapshot', 1)];
        expect(numbers(outbox)).toEqual(kept);
        expect(outbox.dropped).toBe(kinds.length - kept.length);
      }),
    );
  });

  test('does not drop another in place of one that is being sent and was dropped meanwhile', () => {
    const outbox = new Outbox({ reply: 1, telemetry: 1, snapshot: 1 });
    outbox.put('reply', bytes(1));
    const sending = outbox.next();
    outbox.put('reply', bytes(2));
    if (sending !== undefined) outbox.sent(sending);
    expect(numbers(outbox)).toEqual([2]);
  });
});

describe('a request', () => {
  const id = '0123456789abcdef';
  const clock = new ManualClock();
  let refreshes = 0;
  const requests = (snapshot: boolean | undefined = true) =>
    new Requests(
      requestHandlers({
        telemetry: async () => telemetry(),
        snapshot: () => snapshot,
        refresh: () => void refreshes++,
      }),
      clock,
    );
  const codeOf = async (request: string, snapshot?: boolean) =>
    (await requests(snapshot).answer({ id, request })).code;

  test('is answered under its id [TM-43]', async () => {
    expect(await requests().answer({ id, request: 'ping' })).toEqual({ id, code: 'DONE' });
    expect(await requests().answer({ id, request: 'status' })).toEqual({
      id,
      code: 'DONE',
      telemetry: telemetry(),
    });
    expect(await codeOf('snapshot', true)).toBe('DONE');
    expect(await codeOf('snapshot', false)).toBe('UNAVAILABLE');
    expect(await codeOf('reboot')).toBe('REQUEST_UNKNOWN');
  });

  test('for a snapshot of a camera that does not record yet is told so', async () => {
    const idle = new Requests(
      requestHandlers({
        telemetry: async () => telemetry(),
        snapshot: () => undefined,
        refresh: () => undefined,
      }),
      clock,
    );
    expect((await idle.answer({ id, request: 'snapshot' })).code).toBe('UNAVAILABLE');
  });

  test('to look is not obeyed more often than every five seconds', async () => {
    const one = requests();
    refreshes = 0;
    const codes: string[] = [];
    for (const ms of [0, 4_999, 1]) {
      clock.advance(ms);
      codes.push((await one.answer({ id, request: 'refresh' })).code);
    }
    expect(codes).toEqual(['DONE', 'BUSY', 'DONE']);
    expect(refreshes).toBe(2);
  });

  test('whose work fails is answered all the same', async () => {
    const broken = new Requests(
      requestHandlers({
        telemetry: async () => Promise.reject(new Error('secret')),
        snapshot: () => undefined,
        refresh: () => undefined,
      }),
      clock,
    );
    expect(await broken.answer({ id, request: 'status' })).toEqual({ id, code: 'FAILED' });
  });
});

describe('the log of requests', () => {
  test('holds sixty lines a minute, and counts the others', () => {
    const clock = new ManualClock();
    const lines: { fields: object; message: string }[] = [];
    const write = (fields: object, message: string) => void lines.push({ fields, message });
    const log = new RequestLog({ info: write, warn: write }, () => clock.monotonic());
    for (let n = 0; n < 100; n++) log.info({ n }, 'request received');
    for (let n = 0; n < 100; n++) log.warn({ n }, 'request refused');
    expect(lines).toHaveLength(60);
    clock.advance(60_000);
    log.info({ n: 100 }, 'request received');
    expect(lines.slice(60)).toEqual([
      { fields: { count: 140 }, message: 'more was said of requests' },
      { fields: { n: 100 }, message: 'request received' },
    ]);
  });
});

describe('telemetry', () => {
  const machine = { temperature: null, diskFreeBytes: null, memoryFreeBytes: 5 };
  const of = (status: AgentStatus) =>
    telemetryOf({
      status,
      capture: null,
      machine,
      versions: { oriel: '1', node: '2' },
      uptimeMs: 1999,
      messagesDropped: 3,
    });

  test('of a camera that has not recorded yet can be sent', () => {
    const told = of(unpairedStatus(0));
    expect(told).toMatchObject({ state: 'waiting', footage: null, capture: 'unknown', uptimeSeconds: 1 });
    expect(parseMessage('telemetry', encodeMessage('telemetry', told))).toEqual(told);
  });

  test('tells by its code why updates do not come', () => {
    const view = { code: 'METADATA_EXPIRED', message: 'secret', wayOut: undefined, since: 0, times: 1 };
    const told = of({ ...unpairedStatus(0), updates: { trouble: view } });
    expect(told.updateTrouble).toBe('METADATA_EXPIRED');
    expect(parseMessage('telemetry', encodeMessage('telemetry', told))).toEqual(told);
    expect(of({ ...unpairedStatus(0), updates: { trouble: undefined } })).not.toHaveProperty('updateTrouble');
  });

  test('[FC-21] tells by its code why a policy is not obeyed, and who is sealed nothing', () => {
    const view = { code: 'DAY_KEYS_MISSING', message: 'secret', wayOut: undefined, since: 0, times: 1 };
    const viewer = 'b'.repeat(32);
    const policy = { epoch: 1, counter: 1, trouble: view, belowFloor: [viewer] };
    const told = of({ ...unpairedStatus(0), policy });
    expect(told).toMatchObject({ policyTrouble: 'DAY_KEYS_MISSING', viewersBelowFloor: [viewer] });
    expect(parseMessage('telemetry', encodeMessage('telemetry', told))).toEqual(told);
    const away = { ...view, code: 'DIAL_CONNECT' };
    const quiet = of({ ...unpairedStatus(0), policy: { ...policy, trouble: away, belowFloor: [] } });
    expect(quiet).not.toHaveProperty('policyTrouble');
    expect(quiet).not.toHaveProperty('viewersBelowFloor');
  });

  test('[FC-21] with every viewer of a policy below their floor but one snapshot fits its topic', () => {
    const belowFloor = Array.from({ length: 32 }, () => 'b'.repeat(32));
    const policy = { epoch: 1, counter: 1, trouble: undefined, belowFloor };
    const told = of({ ...unpairedStatus(0), policy });
    expect(encodeMessage('telemetry', told).length).toBeLessThan(MAX_MESSAGE_BYTES.telemetry);
  });

  test('tells where all footage is, over all lives', () => {
    const account = {
      lives: 3,
      capturedUs: 10e6,
      acknowledgedUs: 4e6,
      heldUs: 3e6,
      droppedUs: 2e6,
      skippedUs: 0.5e6,
      interruptedUs: 0.5e6,
      buriedUs: 0,
    };
    const told = of({ ...unpairedStatus(1), ...idlePipeline(), state: 'running', account, heldBytes: 7 });
    expect(told.restarts.agent).toBe(2);
    expect(told.footage).toEqual({
      capturedSeconds: 10,
      acknowledgedSeconds: 4,
      heldSeconds: 3,
      droppedSeconds: 2,
      skippedSeconds: 0.5,
      interruptedSeconds: 0.5,
      heldBytes: 7,
      spooledBytes: 0,
    });
    expect(parseMessage('telemetry', encodeMessage('telemetry', told))).toEqual(told);
  });
});
