import { decodePicture } from '../../agent/capture/jpeg.ts';
import { nodePrimitives } from '../../crypto/primitives-node.ts';
import { makeSheet, type SheetReport } from '../../footage/contact-sheet.ts';
import { FootageDirectory } from '../../footage/footage-directory-node.ts';
import type { TimeRange } from '../../footage/inspected.ts';
import { MovieFiles } from '../../footage/movie-files-node.ts';
import { openFootage } from '../../footage/open-footage.ts';
import type { FootageReport } from '../../footage/report.ts';
import { SharpCanvas } from '../../footage/sheet-canvas-node.ts';
import type { FootageRequest } from '../../footage/verification.ts';
import { checkOutput, writeTextFile } from '../../host/files.ts';
import { readViewingKey } from '../../owner/viewing-key-file.ts';
import { printable } from '../../text/printable.ts';
import { CommandError } from '../errors.ts';
import { Progress, TERMINAL } from '../terminal.ts';

/** What a person asks of a directory of footage. */
export interface DirectoryRequest {
  readonly directory: string;
  readonly keyPath: string;
  /** A camera's id or the beginning of one; all cameras when undefined. */
  readonly camera: string | undefined;
  readonly range: TimeRange;
  /** Where to write what opens; undefined to write nothing. */
  readonly out: string | undefined;
  /** Whether files already there may be replaced. */
  readonly force: boolean;
}

export interface DirectorySheetRequest extends DirectoryRequest {
  /** Ends in .jpg or .png. */
  readonly out: string;
  readonly columns: number;
  /** How many intervals a camera's time is divided into at most. */
  readonly most: number;
}

/** Opens a directory's footage, with progress on stderr. @throws CommandError; FootageError. */
export function openDirectory(request: DirectoryRequest): Promise<FootageReport> {
  const { out } = request;
  const movies = out === undefined ? undefined : new MovieFiles(out, outputCheck(request));
  return openFootage(requestOf(request), movies);
}

/** Makes a contact sheet of a directory's footage, with progress on stderr. @throws CommandError; FootageError. */
export function makeDirectorySheet(request: DirectorySheetRequest): Promise<SheetReport> {
  const { out, columns, most } = request;
  const canvas = new SharpCanvas(formatOf(out), (video, maxWidth) =>
    decodePicture(video, maxWidth, new AbortController().signal),
  );
  const asked = requestOf(request);
  const nameOf = (camera: string) => printable(asked.key.cameras.find(({ id }) => id === camera)?.name ?? '');
  const check = outputCheck(request);
  const sink = {
    check: () => check(out),
    write: async (image: Uint8Array) => {
      check(out);
      writeTextFile(out, image, 0o600);
      return out;
    },
  };
  return makeSheet({ ...asked, columns, most, canvas, nameOf, sink });
}

function requestOf({ directory, keyPath, camera, range }: DirectoryRequest): FootageRequest {
  const key = readViewingKey(keyPath, TERMINAL);
  const source = new FootageDirectory(directory);
  const beginProgress = (what: string, total: number) => new Progress(what, total);
  return { source, primitives: nodePrimitives, key, camera, range, beginProgress };
}

const outputCheck =
  ({ force, keyPath }: DirectoryRequest) =>
  (path: string) =>
    checkOutput(path, { force, inputs: [keyPath] });

function formatOf(path: string): 'jpeg' | 'png' {
  if (/\.jpe?g$/i.test(path)) return 'jpeg';
  if (/\.png$/i.test(path)) return 'png';
  throw new CommandError('USAGE', 'the sheet is a picture: give --out a name that ends in .jpg or .png');
}
