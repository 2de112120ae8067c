import { CameraDirectory } from '../../agent/state/camera-directory.ts';

/** The directory of a camera's agent or capture, with the run directory that its launcher has made. */
export const roleDirectory = (dir: string) =>
  new CameraDirectory(dir, process.env.ORIEL_RUN_DIRECTORY).withRun();
