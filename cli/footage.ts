import { Command, InvalidArgumentError } from 'commander';
import { parseRfc3339, rfc3339 } from '../crypto/time.ts';
import type { SheetReport } from '../footage/contact-sheet.ts';
import type { CameraLine } from '../footage/coverage.ts';
import type { FootageReport, SegmentLine } from '../footage/report.ts';
import type { AbsentSnapshots } from '../footage/snapshot-inspection.ts';
import { jsonLine, printable } from '../text/printable.ts';
import { CommandError } from './errors.ts';
import { EXIT } from './exit-codes.ts';
import { summarize } from './footage/summarize.ts';
import { cameraOption, forceOption, jsonOption, outOption, wholeNumber } from './options.ts';

interface FootageOptions {
  readonly key: string;
  readonly camera?: string;
  readonly from?: number;
  readonly to?: number;
  readonly out?: string;
  readonly force?: true;
  readonly json?: true;
}

type Verb = 'list' | 'verify' | 'open';

interface SheetOptions extends FootageOptions {
  readonly columns: number;
  readonly pictures: number;
}

const EXIT_CODES = `
Exit codes:
  0  all that is here is complete: closed and signed by the camera (of what is not here, see the cameras' lines; of
     time in which nothing was filmed, the last line)
  3  some of it cut, still open, or missing
  4  some of it refused: altered, forged, not this key's to open, or no media that plays; snapshots too
  1, 2  another failure; a command line not understood
`;

/** `oriel footage`: opens footage with a viewing key. */
export function footageCommand(): Command {
  const footage = new Command('footage').description('list, verify and open footage').addHelpText(
    'after',
    `
DIR is a server's directory, its footage directory, or a copy of it; nothing in it is changed.
Times are RFC 3339: 2026-11-21T18:44:00Z, or with an offset.
${EXIT_CODES}
Examples:
  oriel footage list ./server --key me.key
  oriel footage open ./server --key me.key --from 2026-11-21T18:00:00Z --to 2026-11-21T19:00:00Z --out evening.mp4
  oriel footage sheet ./server --key me.key --from 2026-11-21T18:00:00Z --out evening.jpg`,
  );
  const opening = (name: Verb, description: string) =>
    verb(name, description).action((dir: string, options: FootageOptions) => run(name, dir, options));
  footage.addCommand(opening('list', 'show what footage there is and whether it is whole'));
  footage.addCommand(opening('verify', 'check every record, signature and link, and say what does not hold'));
  footage.addCommand(
    opening('open', 'verify, and write what opens to an MP4 file')
      .addOption(outOption('MP4 file to write; a changed picture format goes on in FILE-2.mp4 and so on'))
      .addOption(forceOption()),
  );
  footage.addCommand(sheetCommand());
  return footage;
}

function sheetCommand(): Command {
  return verb('sheet', 'verify, and make a contact sheet: one picture of pictures of the footage')
    .addOption(outOption('picture to write, .jpg or .png'))
    .addOption(forceOption())
    .option('--columns <number>', 'pictures side by side', wholeNumber(1, 40), 6)
    .option('--pictures <number>', 'pictures of each camera, at most', wholeNumber(1, 1000), 60)
    .addHelpText(
      'before',
      'Shows the snapshots that cameras send now and then, and where there are none, keyframes of the footage itself.\n',
    )
    .action(makeSheetOf);
}

const EXAMPLES: Readonly<Record<Verb | 'sheet', string>> = {
  list: 'oriel footage list ./house --key me.key',
  verify: 'oriel footage verify ./house --key me.key --camera 7xk2',
  open: 'oriel footage open ./house --key me.key --from 2026-11-21T18:00:00Z --out evening.mp4',
  sheet: 'oriel footage sheet ./house --key me.key --from 2026-11-21T18:00:00Z --out evening.jpg',
};

function verb(name: Verb | 'sheet', description: string): Command {
  return new Command(name)
    .description(description)
    .argument('<dir>', "the server's footage directory, or a copy of it")
    .requiredOption('--key <file>', 'viewing key that opens the footage')
    .addOption(cameraOption('only this camera: its id, or the beginning of it'))
    .option('--from <time>', 'only what was captured from this time on', parseTime)
    .option('--to <time>', 'only what was captured before this time', parseTime)
    .addOption(jsonOption())
    .addHelpText('after', `${EXIT_CODES}\nExample:\n  ${EXAMPLES[name]}`);
}

/** RFC 3339 section 5.6, as milliseconds since 1970. */
export function parseTime(text: string): number {
  const time = parseRfc3339(text);
  if (time !== undefined) return time;
  throw new InvalidArgumentError('give a time as in 2026-11-21T18:44:00Z (RFC 3339).');
}

async function run(name: Verb, dir: string, options: FootageOptions): Promise<void> {
  const { openDirectory } = await import('./footage/open-footage.ts');
  const report = await openDirectory({
    ...asked(dir, options),
    out: name === 'open' ? (options.out ?? defaultOut('mp4')) : undefined,
  });
  if (options.json) console.log(jsonLine(report));
  else print(name, report);
  process.exitCode = exitCode(report);
}

async function makeSheetOf(dir: string, options: SheetOptions): Promise<void> {
  const { makeDirectorySheet } = await import('./footage/open-footage.ts');
  const report = await makeDirectorySheet({
    ...asked(dir, options),
    out: options.out ?? defaultOut('jpg'),
    columns: options.columns,
    most: options.pictures,
  });
  if (options.json) console.log(jsonLine(report));
  else printSheet(report);
  process.exitCode = exitCode(report);
}

/** @throws CommandError USAGE. */
function asked(directory: string, { key: keyPath, camera, from, to, force }: FootageOptions) {
  if (from !== undefined && to !== undefined && from >= to) {
    throw new CommandError('USAGE', '--from has to be before --to');
  }
  const range = { fromMs: from ?? 0, toMs: to ?? Number.POSITIVE_INFINITY };
  return { directory, keyPath, camera, range, force: force ?? false };
}

const defaultOut = (ending: string) =>
  `footage-${new Date().toISOString().replace(/[:.]/g, '').slice(0, 15)}.${ending}`;

function exitCode(report: FootageReport): number {
  switch (report.verdict) {
    case 'refused':
      return EXIT.refused;
    case 'incomplete':
      return EXIT.incomplete;
    case 'complete':
      return EXIT.ok;
    case 'empty':
      return EXIT.failure;
  }
}

function print(name: Verb, report: FootageReport): void {
  const shown =
    name === 'list' ? report.segments : report.segments.filter(({ verdict }) => verdict !== 'complete');
  for (const segment of shown) console.log(describe(segment));
  for (const { camera, path, code, message } of report.refusedPictures) {
    console.log(`${camera.slice(0, 8)} ${path}  refused  ${code}: ${message}`);
  }
  for (const absent of report.absentSnapshots) console.log(describeAbsent(absent));
  const { files } = report;
  for (const { path, fromMs, seconds, frames } of files) {
    console.log(`wrote ${path}: ${seconds.toFixed(1)} s, ${frames} frames, from ${rfc3339(fromMs)}`);
  }
  for (const camera of report.cameras) console.log(describeCamera(camera));
  console.log(summarize(report));
}

function printSheet(report: SheetReport): void {
  print('verify', report);
  if (report.sheet === undefined) {
    console.log('no sheet written: nothing here opens that could be shown');
    return;
  }
  const { path, width, height, snapshots, keyframes, gaps } = report.sheet;
  const shown = `${counted(snapshots, 'snapshot')}, ${counted(keyframes, 'keyframe')}, ${counted(gaps, 'gap')}`;
  console.log(`wrote ${path}: ${shown}; ${width} by ${height} pixels`);
}

/** It is said, and no more: what a camera drops and what a server may not keep looks the same as what is withheld. */
function describeAbsent({ camera, session, numbers }: AbsentSnapshots): string {
  const which = numbers.map(({ first, last }) => (first === last ? `${first}` : `${first} to ${last}`));
  const why = 'numbered by the camera; not sent, not kept, or withheld';
  return `${camera.slice(0, 8)} ${session.slice(0, 8)}  snapshots not here: ${which.join(', ')} (${why})`;
}

const counted = (count: number, what: string) => `${count} ${what}${count === 1 ? '' : 's'}`;

function describeCamera({ camera, name, sessions, first, last, earlier, forked }: CameraLine): string {
  const title = `camera ${camera.slice(0, 8)}${name === '' ? '' : ` (${printable(name)})`}`;
  if (first === undefined || last === undefined)
    return `${title}: no footage of it is here, though the key trusts it`;
  const span = `session ${first.number} of ${first.time} to session ${last.number} of ${last.time}`;
  const before = earlier ? `; those before ${first.number} are not here` : '';
  const twins =
    forked === undefined
      ? ''
      : `; its line of sessions divides at ${forked[0]}: two cameras of one key, or a disk that lost a session`;
  return `${title}: ${sessions} here, ${span}${before}${twins}`;
}

function describe(segment: SegmentLine): string {
  const {
    camera,
    session,
    sequence,
    verdict,
    count = 1,
    time,
    seconds,
    records,
    marked,
    vouchedRecords,
    placed,
    code,
    message,
  } = segment;
  if (session.startsWith('session')) return `${camera.slice(0, 8)} ${session}  missing`;
  const name = `${camera.slice(0, 8)} ${session.slice(0, 8)}/${String(sequence).padStart(4, '0')}`;
  if (verdict === 'refused') return `${name}  refused  ${code}: ${message}`;
  if (verdict === 'missing') {
    return `${name}${count > 1 ? ` to ${String(sequence + count - 1).padStart(4, '0')}` : ''}  missing`;
  }
  if (time === undefined) return `${name}  open      the end of the session is not here`;
  const vouched =
    marked === undefined ? '' : `, marked: ${marked}, ${vouchedRecords} of ${records} records vouched for`;
  // Marks of older cameras: nobody can tell whether there were more records.
  const unplaced = placed === false ? '; others may have been taken away' : '';
  return `${name}  ${verdict.padEnd(8)} ${time}  ${seconds?.toFixed(2)} s, ${records} records${vouched}${unplaced}`;
}
