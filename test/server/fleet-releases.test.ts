import { releasesJson, releasesText } from '../../cli/server/releases-text.ts';
import type { UpdateEvent } from '../../crypto/update-report.ts';
import { releasesOf, reportText, returnedLast } from '../../server/fleet/fleet.ts';
import type { CameraRecord } from '../../server/registry/registry-tables.ts';
import type { ReceivedReport } from '../../server/registry/report-table.ts';

const report = (event: UpdateEvent, change: Partial<ReceivedReport> = {}): ReceivedReport => ({
  from: 'x',
  receivedAtMs: 0,
  camera: new Uint8Array(20),
  number: 1,
  timeMs: 0,
  event,
  slot: 'b',
  counter: 3,
  version: '1.0.3',
  code: 'AGENT_EXITED',
  ...change,
});

test.each<[UpdateEvent, Partial<ReceivedReport>, string]>([
  ['confirmed', { code: '' }, '1.0.3 proved itself and runs, from slot b'],
  ['returned', {}, '1.0.3 went back: AGENT_EXITED'],
  [
    'refused',
    { version: '', code: 'SIGNATURES_MISSING' },
    'a release was refused before it ran: SIGNATURES_MISSING',
  ],
  ['altered', { code: 'FILE_ALTERED' }, '1.0.3 in slot b was found altered: FILE_ALTERED'],
  ['recovered', { code: '' }, 'the state of the slots was lost and made anew; 1.0.3 runs'],
])('%s in words', (event, change, text) => {
  expect(reportText(report(event, change))).toBe(text);
});

test('who runs what, and what each camera reported last', () => {
  const camera = { id: 'cameraid', name: 'Door\u001b[2J', standing: 'enrolled' } as CameraRecord;
  const reports = [report('returned'), report('confirmed', { version: '1.0.2' })];
  expect(releasesText([{ camera, version: '1.0.2', reports }], 1)).toEqual([
    '1 run 1.0.2',
    '',
    expect.not.stringContaining('\u001b'),
    '    1970-01-01T00:00:00.000Z  1.0.3 went back: AGENT_EXITED',
  ]);
  expect(releasesText([], 1)).toEqual(['no cameras yet']);
});

test('[FC-59] a camera that was shut out is shown, and counted apart', () => {
  const camera = { id: 'cameraid', name: 'Door', standing: 'revoked' } as CameraRecord;
  const fleet = releasesOf([camera], [], []);
  expect(releasesText(fleet, 1)).toEqual(['1 shut out', '', 'Door  unknown, shut out']);
  expect(releasesJson(fleet)).toMatchObject([{ camera: 'cameraid', standing: 'revoked' }]);
});

test.each<[string, ReceivedReport[], string | undefined]>([
  ['nothing', [], undefined],
  ['that one went back', [report('returned')], '1.0.3'],
  [
    'that one went back, and of a file that was refused',
    [report('refused', { number: 2 }), report('returned')],
    '1.0.3',
  ],
  [
    'that another proved itself since',
    [report('confirmed', { number: 2, version: '1.0.4' }), report('returned')],
    undefined,
  ],
  [
    'the same, told in another order',
    [report('returned', { number: 3 }), report('confirmed', { number: 2 })],
    '1.0.3',
  ],
])('[FC-57] a camera that has reported %s', (_, reports, version) => {
  expect(returnedLast(reports)?.version).toBe(version);
});

test('a camera that signs a time of no calendar hides nobody from the programs that read of the fleet', () => {
  const camera = { id: 'cameraid', name: 'Door', standing: 'enrolled' } as CameraRecord;
  const reports = [report('returned', { timeMs: Number.MAX_SAFE_INTEGER })];
  expect(releasesJson([{ camera, version: undefined, reports }])).toMatchObject([
    { reports: [{ at: '(9007199254740991 ms)', received: '1970-01-01T00:00:00.000Z' }] },
  ]);
});
