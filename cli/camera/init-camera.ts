import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import * as v from 'valibot';
import { CameraConfig, CameraDirectory } from '../../agent/camera/camera-directory.ts';
import { generateDeviceKey, loadDeviceKey } from '../../agent/camera/device-key.ts';
import { CameraError } from '../../agent/camera/errors.ts';
import { parseSource } from '../../agent/capture/source.ts';
import { pem } from '../../crypto/certificate-node.ts';
import { makeRequest } from '../../crypto/request-node.ts';
import { CommandError } from '../errors.ts';
import { writeTextFile } from '../files.ts';

export interface CameraWish {
  readonly server: string;
  readonly pin: readonly string[];
  readonly owner: string;
  readonly source: string;
  readonly audio?: true;
  readonly lan: readonly string[];
  readonly spoolBytes: number;
  readonly keepFree: number;
}

/** Makes a camera's directory: device key, configuration, certificate request. Nothing there is replaced. */
export async function initCamera(
  dir: string,
  wish: CameraWish,
): Promise<{ camera: string; request: string }> {
  const directory = new CameraDirectory(dir);
  if (directory.exists()) {
    throw new CameraError('CAMERA_EXISTS', `${dir} holds a camera already; choose another directory`);
  }
  // A password in a source has no place in a command line, which every user of a machine can read.
  const source = absolute(wish.source === '-' ? readFileSync(0, 'utf8').trim() : wish.source);
  const config = checkedConfig({ ...wish, source });
  directory.make();
  writeTextFile(directory.deviceKey, generateDeviceKey(), 0o600, true);
  const { camera, key } = await loadDeviceKey(directory);
  writeTextFile(directory.request, pem('CERTIFICATE REQUEST', makeRequest(key, camera)), 0o600);
  // Last: a directory with a configuration is a whole camera.
  writeTextFile(directory.config, `${JSON.stringify(config, undefined, 2)}\n`, 0o600);
  return { camera, request: directory.request };
}

/** A file is meant as seen from here, wherever the camera is run from later. */
function absolute(source: string): string {
  const path = /^file:([^/].*)$/s.exec(source)?.[1];
  return path === undefined ? source : `file:${resolve(path)}`;
}

function checkedConfig(wish: CameraWish): v.InferInput<typeof CameraConfig> {
  const config: v.InferInput<typeof CameraConfig> = {
    version: 1,
    server: { origin: wish.server, pins: [...wish.pin] },
    owner: wish.owner,
    source: wish.source,
    audio: wish.audio ?? false,
    lan: [...wish.lan],
    spool: { maxBytes: wish.spoolBytes, minFreeBytes: wish.keepFree },
  };
  const result = v.safeParse(CameraConfig, config);
  if (!result.success) {
    const field = v.getDotPath(result.issues[0]) ?? '';
    throw new CommandError(
      'USAGE',
      HINTS[field.split('.').slice(0, 2).join('.')] ?? `${field} is not as it has to be`,
    );
  }
  try {
    parseSource(wish.source, wish.lan);
  } catch (cause) {
    throw new CommandError('USAGE', `--source and --lan: ${(cause as Error).message}`, cause);
  }
  return config;
}

const HINTS: Readonly<Record<string, string>> = {
  'server.origin': '--server takes an origin and nothing more: https://HOST[:PORT]',
  'server.pins':
    '--pin takes what oriel server init printed: sha256/ and 44 characters of base64; at most two',
  'spool.maxBytes': '--spool-bytes takes at least 1M',
  owner: '--owner takes the identity that oriel keys show prints: 43 characters',
};
