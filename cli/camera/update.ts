import type { FileHandle } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { startCommand } from '../../agent/health/camera-view.ts';
import { CameraDirectory } from '../../agent/state/camera-directory.ts';
import { readStatus } from '../../agent/status/status.ts';
import type { ReleaseView } from '../../agent/status/views.ts';
import { handOver, openRegular } from '../../agent/updates/submit-update.ts';
import { type Course, courseOf, type Seen } from '../../agent/updates/update-progress.ts';
import { becomeOwnerOf } from '../../host/as-owner.ts';
import { isRunning } from '../../host/processes.ts';
import { readSlotState } from '../../ota/installation.ts';
import { jsonLine, printable } from '../../text/printable.ts';
import { CommandError } from '../errors.ts';
import { courseText, whatToDo } from './update-text.ts';

export interface UpdateOptions {
  readonly json?: true;
  /** Seconds. */
  readonly wait: number;
}

const LOOK_INTERVAL_MS = 200;

/**
 * `oriel camera update`: gives a file with an update to a running camera, and follows what comes of it.
 * @returns whether it was confirmed, or is on trial.
 * @throws CommandError CAMERA_OFFLINE, USAGE, FILE_UNREADABLE, FILE_UNWRITABLE; OtaError UPDATE_FILE_*.
 */
export async function updateFromFile(dir: string, path: string, options: UpdateOptions): Promise<boolean> {
  const directory = new CameraDirectory(dir);
  const source = await openRegular(path);
  const { installation, before, id } = await handTo(directory, dir, source).finally(() => source.close());
  const course = await follow(
    options.wait * 1000,
    async (staged): Promise<Seen> => ({
      brought: readStatus(directory.status)?.release?.brought,
      id,
      before,
      staged,
      slots: await readSlotState(installation),
    }),
    (step) => options.json === undefined && console.error(printable(courseText(step))),
  );
  if (options.json) console.log(jsonLine(course));
  else for (const line of whatToDo(course, dir)) console.log(printable(line));
  return course.state === 'confirmed' || course.state === 'trial';
}

/** Gives it to the camera, if that runs from slots, and says what these held before. */
async function handTo(directory: CameraDirectory, dir: string, source: FileHandle) {
  // The file is the caller's; from here on nothing is done with more rights than the camera's own user has.
  becomeOwnerOf(directory.path);
  const { installation } = releaseRun(directory, dir);
  const before = await readSlotState(installation);
  return { installation, before, id: await handOver(directory, source) };
}

/** Of a camera that runs now. */
function releaseRun(directory: CameraDirectory, dir: string): ReleaseView {
  const status = readStatus(directory.status);
  if (status === undefined || status.state === 'stopped' || !isRunning(status.pid)) {
    throw new CommandError(
      'CAMERA_OFFLINE',
      `the camera in ${dir} does not run: start it (${startCommand(dir)}), and try again`,
    );
  }
  if (status.release === undefined) {
    throw new CommandError(
      'USAGE',
      `the camera in ${dir} is not run from slots (oriel launcher run), so nothing updates it`,
    );
  }
  return status.release;
}

/** Until it is judged, or for so long. */
async function follow(
  waitMs: number,
  look: (staged: string | undefined) => Promise<Seen>,
  say: (course: Course) => void,
): Promise<Course> {
  const until = performance.now() + waitMs;
  let staged: string | undefined;
  let said = '';
  for (;;) {
    const course = courseOf(await look(staged));
    if (course.state !== 'waiting' && course.state !== 'checking') staged ??= course.version;
    if (said !== course.state) say(course);
    said = course.state;
    if (course.over || performance.now() >= until) return course;
    await sleep(LOOK_INTERVAL_MS);
  }
}
