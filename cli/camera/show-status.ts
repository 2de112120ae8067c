import { CameraDirectory } from '../../agent/camera/camera-directory.ts';
import { readCaptureState } from '../../agent/capture/state.ts';
import { type AgentStatus, readStatus } from '../../agent/status.ts';

/** Shows what the camera's processes say of themselves in their files. @returns whether they say anything. */
export function showStatus(dir: string, json: boolean): boolean {
  const directory = new CameraDirectory(dir);
  const agent = readStatus(directory.status);
  if (agent === undefined) directory.readConfig();
  const capture = readCaptureState(directory.captureRun) ?? undefined;
  if (json) {
    console.log(JSON.stringify({ agent, capture }));
    return agent !== undefined;
  }
  if (agent === undefined) {
    console.log(`camera in ${dir} is not running; start it with: oriel camera run ${dir}`);
    return false;
  }
  if (agent.state === 'unpaired') {
    console.log(`no camera is set up in ${dir}; its agent waits for: oriel camera setup ${dir}`);
    return true;
  }
  const seconds = (value: number) => `${value.toFixed(1)} s`;
  const state = agent.state === 'stopped' || isRunning(agent.pid) ? agent.state : 'killed';
  console.log(`camera       ${agent.camera}  ${state}, ${new Date(agent.at).toISOString()}`);
  console.log(`server       ${agent.server}  pins ${agent.pins.join(' ')}`);
  showPairing(agent);
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

/** How far the camera is with certificate and policy, and what stands in the way. */
function showPairing({ enrolment, policy, clock }: AgentStatus): void {
  const { state, certificateEnds, trouble } = enrolment;
  const until = certificateEnds === undefined ? '' : ` until ${new Date(certificateEnds).toISOString()}`;
  console.log(`certificate  ${CERTIFICATE[state]}${until}`);
  console.log(`policy       ${policy.epoch === 0 ? 'none yet' : `${policy.epoch}.${policy.counter}`}`);
  if (clock.source !== 'machine') console.log(`clock        the machine's is wrong; ${CLOCKS[clock.source]}`);
  for (const each of [trouble, policy.trouble]) {
    if (each === undefined) continue;
    console.log(`trouble      ${each.code}: ${each.message}`);
    if (each.wayOut !== undefined) console.log(`             ${each.wayOut}`);
  }
}

const CERTIFICATE = {
  claiming: 'none yet: enrolling with the setup code',
  unknown: 'none yet',
  enrolled: 'good',
} as const;
const CLOCKS = {
  server: "the server's counts",
  trusted: 'until the server is heard, the newest time known counts',
} as const;
