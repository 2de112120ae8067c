import type { Step } from './journal.ts';

const append = (bytes: number): Step => ({ do: 'append', bytes });
const wait = (ms: number): Step => ({ do: 'wait', ms });
const begin: Step = { do: 'begin segment' };
const close: Step = { do: 'close segment', closing: true };
const acknowledge = (segment: number, records: number): Step => ({ do: 'acknowledge', segment, records });
const settle = (segment: number): Step => ({ do: 'settle', segment });

/**
 * Two sessions of a camera: in touch, cut off, slowly heard, in touch again. With a small spool (`roomy`
 * false) the outage drops segments.
 */
export const WORKLOAD: readonly Step[] = [
  { do: 'begin session', number: 7 },
  // 0: acknowledged in time.
  begin,
  ...[append(200), append(400), wait(250), append(300), wait(250)],
  acknowledge(0, 3),
  ...[close, wait(500), acknowledge(0, 1), settle(0), wait(250)],
  // 1: the first records are acknowledged, the rest goes to the disk and grows there.
  begin,
  ...[append(210), append(410), wait(500), acknowledge(1, 1)],
  ...[append(310), wait(1500), append(320), append(330), wait(1750), append(340)],
  close,
  // 2: ends in memory, reaches the disk afterwards.
  begin,
  ...[append(220), append(420), close, wait(1250)],
  // 3: on the disk, then acknowledged beyond what the disk has, then written again.
  begin,
  ...[append(230), append(430), wait(2000), append(330), acknowledge(3, 3), append(350), wait(1750)],
  ...[append(340), close],
  acknowledge(1, 3),
  wait(500),
  // 4: cut off by the end of the session.
  begin,
  ...[append(240), append(440), wait(1750)],
  { do: 'close segment', closing: false },
  { do: 'end session' },
  { do: 'begin session', number: 8 },
  begin,
  ...[append(250), append(450), wait(2000), append(350), wait(1000)],
  acknowledge(1, 9),
  settle(1),
  settle(2),
  wait(250),
  close,
  begin,
  ...[append(260), append(460), wait(1500), append(360), wait(1750), close],
  settle(3),
  settle(4),
  wait(500),
  begin,
  ...[append(270), append(470), wait(2000), append(370)],
  settle(5),
  wait(250),
];

/** The same in the smallest steps of time. */
export const FINE_WORKLOAD: readonly Step[] = WORKLOAD.flatMap((step) =>
  step.do === 'wait' ? Array.from({ length: step.ms / 250 }, () => wait(250)) : [step],
);
