import { faultsOf, type Ledger, movement } from './ledger.ts';

const HEAD = [
  'camera',
  'films',
  'captured',
  'recovered',
  'acknowledged',
  'spooled',
  'dropped',
  'skipped',
  'killed',
  'opened',
  'lost',
  'verdict',
];

/**
 * One line a camera, seconds of video. captured + recovered = acknowledged + spooled + dropped + skipped + killed, where
 * *killed* was in memory when the camera was killed: *opened* says how much of it had got to the server.
 */
export function table(ledgers: readonly Ledger[]): string {
  const rows = [HEAD, ...ledgers.map(row)];
  const widths = HEAD.map((_, column) => Math.max(...rows.map((cells) => cells[column]?.length ?? 0)));
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, column) =>
        column < 2 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0),
      )
      .join('  ')
      .trimEnd();
  const [head = '', ...body] = rows.map(line);
  return [head, '-'.repeat(head.length), ...body, ...ledgers.flatMap(notes)].join('\n');
}

function row(ledger: Ledger): string[] {
  const { capturedUs, recoveredUs, acknowledgedUs, spooledUs, ...gone } = movement(ledger);
  const { droppedUs, skippedUs, interruptedUs, openedUs, lostUs } = gone;
  const seconds = [
    ...[
      capturedUs,
      recoveredUs,
      acknowledgedUs,
      spooledUs,
      droppedUs,
      skippedUs,
      interruptedUs,
      openedUs,
      lostUs,
    ],
  ].map((us) => (us / 1e6).toFixed(1));
  return [ledger.camera, ledger.films, ...seconds, faultsOf(ledger).length === 0 ? 'holds' : 'BROKEN'];
}

/** Why something was given up, and what is broken. */
function notes(ledger: Ledger): string[] {
  const { droppedUs, skippedUs, interruptedUs, spooledUs } = movement(ledger);
  const reasons = [
    droppedUs > 0 && 'dropped: no room on its disk, and none in memory',
    skippedUs > 0 && 'skipped: before a keyframe, or while no session could begin',
    interruptedUs > 0 && 'killed: in memory when it was killed',
    spooledUs > 0 && 'spooled: kept until the server takes it',
  ].filter((reason) => reason !== false);
  return [
    ...reasons.map((reason) => `  ${ledger.camera} ${reason}`),
    ...faultsOf(ledger).map((fault) => `  ${ledger.camera} BROKEN: ${fault}`),
  ];
}
