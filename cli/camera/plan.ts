import { CameraDirectory } from '../../agent/camera/camera-directory.ts';
import { loadDeviceKey } from '../../agent/camera/device-key.ts';
import type { CapturePlan } from '../../agent/capture/plan.ts';

/** What capture is to do, by the camera's configuration; whether it may record sound, the agent says with each run. */
export interface CameraPlan {
  readonly camera: string;
  readonly origin: string;
  readonly capture: CapturePlan;
}

/** @throws CameraError as reading configuration and key does. */
export async function planCamera(dir: string): Promise<CameraPlan> {
  const directory = new CameraDirectory(dir);
  const { server, source, lan, audio } = directory.readConfig();
  const { camera } = await loadDeviceKey(directory);
  return { camera, origin: server.origin, capture: { source, lan, audio } };
}
