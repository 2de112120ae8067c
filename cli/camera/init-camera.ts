import { parseSource } from '../../agent/capture/source.ts';
import { keepDestinations } from '../../agent/firewall/destinations-file.ts';
import { CameraConfig, CameraDirectory } from '../../agent/state/camera-directory.ts';
import { CameraError } from '../../agent/state/errors.ts';
import { makeCamera } from '../../agent/state/make-camera.ts';
import { fromBase64Url } from '../../crypto/bytes.ts';
import { pem } from '../../crypto/certificate-node.ts';
import { pinText } from '../../crypto/pin.ts';
import { makeRequest } from '../../crypto/request-node.ts';
import { asOwnerOf } from '../../host/as-owner.ts';
import { systemDisk } from '../../host/disk.ts';
import { writeTextFile } from '../../host/files.ts';
import { givenOrigin, givenPins } from '../../owner/given-server.ts';
import { type CameraOptions, checkConfig, choiceOf } from './config-options.ts';

export interface InitCameraOptions extends CameraOptions {
  readonly server: string;
  readonly pin: readonly string[];
  readonly owner: string;
}

/** Makes a camera's directory: device key, configuration, certificate request. Nothing there is replaced. */
export async function initCamera(
  dir: string,
  wish: InitCameraOptions,
): Promise<{ camera: string; request: string }> {
  const directory = new CameraDirectory(dir);
  const server = { origin: givenOrigin(wish.server, 'USAGE'), pins: givenPins(wish.pin).map(pinText) };
  const config = { version: 1 as const, server, owner: wish.owner, ...choiceOf(wish) };
  checkConfig(CameraConfig, config);
  const { camera } = await asOwnerOf(dir, () => {
    if (directory.exists()) {
      throw new CameraError('CAMERA_EXISTS', `${dir} holds a camera already; choose another directory`);
    }
    directory.make();
    return makeCamera(directory, systemDisk, config, async ({ key, camera: name }) =>
      writeTextFile(directory.request, pem('CERTIFICATE REQUEST', makeRequest(key, name)), 0o600),
    );
  });
  await keepDestinations(wish.firewallState, dir, () => ({
    camera,
    owner: new Uint8Array(fromBase64Url(wish.owner) ?? []),
    origin: server.origin,
    source: parseSource(config.source, config.lan).dials,
    pins: null,
  }));
  return { camera, request: directory.request };
}
