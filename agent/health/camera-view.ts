import { statSync } from 'node:fs';
import { isRunning } from '../../host/is-running.ts';
import { type CaptureState, readCaptureState } from '../capture/status-file.ts';
import { CameraDirectory } from '../state/camera-directory.ts';
import { readStatus } from '../status/status.ts';
import type { CameraView } from './condition.ts';
import { startCommand } from './start-command.ts';

/** What a camera's files say, and what the agent's clock said when it wrote. @throws CameraError when there is neither camera nor status. */
export function viewOf(dir: string): CameraView & { readonly agentAt: number } {
  const directory = new CameraDirectory(dir);
  const agent = readStatus(directory.status);
  if (agent === undefined) directory.readConfig();
  return {
    directory: dir,
    start: startCommand(dir),
    agent,
    agentRuns: agent !== undefined && isRunning(agent.pid),
    silentMs: statusAgeMs(directory),
    capture: captureState(directory),
    agentAt: agent?.at ?? 0,
  };
}

/** How long ago the status was written. */
export function statusAgeMs({ status }: CameraDirectory): number {
  const writtenAt = statSync(status, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  return Math.max(0, Date.now() - writtenAt);
}

/** What another user, whom nobody has to believe, may have written there is not worth failing for. */
export function captureState({ captureRun }: CameraDirectory): CaptureState | undefined {
  try {
    return readCaptureState(captureRun) ?? undefined;
  } catch {
    return undefined;
  }
}
