import { version } from '../ota/version.ts';
import { launcherCommand } from './launcher.ts';
import { runProgram } from './program.ts';

/** The launcher as a program of its own: it is flashed, and no release replaces it. */
await runProgram(launcherCommand().name('oriel-launcher').version(version()));
