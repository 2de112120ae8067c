import { CameraDirectory } from '../../agent/camera/camera-directory.ts';
import { loadDeviceKey } from '../../agent/camera/device-key.ts';
import { loadPolicy } from '../../agent/camera/policy-file.ts';
import type { CapturePlan } from '../../agent/capture/plan.ts';
import { nodePrimitives } from '../../crypto/primitives-node.ts';

/** What capture is to do, by the camera's configuration and its owner's policy. */
export interface CameraPlan {
  readonly camera: string;
  readonly origin: string;
  /** Sound is asked for and not allowed. */
  readonly silenced: boolean;
  readonly capture: CapturePlan;
}

/** @throws CameraError, CryptoError as reading configuration, key and policy does. */
export async function planCamera(dir: string): Promise<CameraPlan> {
  const directory = new CameraDirectory(dir);
  const { owner, server, source, lan, audio: wanted } = directory.readConfig();
  const { camera } = await loadDeviceKey(directory);
  const { policy } = await loadPolicy(directory, { camera, owner }, nodePrimitives);
  const audio = wanted && policy.audio;
  return { camera, origin: server.origin, silenced: wanted && !audio, capture: { source, lan, audio } };
}
