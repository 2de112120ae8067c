import { CameraDirectory } from '../../agent/camera/camera-directory.ts';
import { readCaptureState } from '../../agent/capture/state.ts';
import { readStatus } from '../../agent/status.ts';

/** Shows what the camera's processes say of themselves in their files. @returns whether they say anything. */
export function showStatus(dir: string, json: boolean): boolean {
  const directory = new CameraDirectory(dir);
  directory.readConfig();
  const agent = readStatus(directory.status);
  const capture = readCaptureState(directory.run) ?? undefined;
  if (json) {
    console.log(JSON.stringify({ agent, capture }));
    return agent !== undefined;
  }
  if (agent === undefined) {
    console.log(`camera in ${dir} is not running; start it with: oriel camera run ${dir}`);
    return false;
  }
  const seconds = (value: number) => `${value.toFixed(1)} s`;
  const state = agent.state === 'stopped' || isRunning(agent.pid) ? agent.state : 'killed';
  console.log(`camera       ${agent.camera}  ${state}, ${new Date(agent.at).toISOString()}`);
  console.log(`server       ${agent.server}  pins ${agent.pins.join(' ')}`);
  if (capture !== undefined) {
    const restarts = Object.values(capture.restarts).reduce((sum, count) => sum + count, 0);
    console.log(
      `capture      ${capture.state}, ${capture.mode ?? '-'}, ${restarts} restarts  ${capture.source}`,
    );
  }
  console.log(`captured     ${seconds(agent.capturedSeconds)} in ${agent.fragments} fragments`);
  console.log(
    `sealed       ${agent.records} records in ${agent.segments} segments, ${agent.sealedBytes} bytes`,
  );
  console.log(`acknowledged ${seconds(agent.acknowledgedSeconds)}`);
  console.log(`held         ${seconds(agent.heldSeconds)}`);
  console.log(
    `lost         ${seconds(agent.droppedSeconds)} dropped, ${seconds(agent.skippedSeconds)} skipped`,
  );
  return true;
}

/** Whether there is a process of that id, ours or another user's. */
function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as { code?: unknown }).code === 'EPERM';
  }
}
