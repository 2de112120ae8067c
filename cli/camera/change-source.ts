import { claimCamera } from '../../agent/camera/camera-claim.ts';
import { type CameraConfigText, CameraDirectory } from '../../agent/camera/camera-directory.ts';
import { replaceSecret } from '../../agent/camera/replace-secret.ts';
import { describeSource, parseSource } from '../../agent/capture/source.ts';
import { toBase64Url, utf8 } from '../../crypto/bytes.ts';
import { systemDisk } from '../../host/disk.ts';
import { ownProcessName } from '../../host/process-name.ts';
import { choiceOf } from './choice.ts';

export interface SourceOptions {
  readonly source: string;
  /** Empty: as before. */
  readonly lan: readonly string[];
}

/**
 * `oriel camera source`: the camera stays the same, with another source or another password for it.
 * @returns the source, as it may be shown.
 * @throws CameraError CAMERA_MISSING, CAMERA_RUNNING; CommandError USAGE.
 */
export async function changeSource(dir: string, options: SourceOptions): Promise<string> {
  const directory = new CameraDirectory(dir);
  directory.readConfig();
  const release = await claimCamera(directory, systemDisk, await ownProcessName(systemDisk));
  try {
    const config = directory.readConfig();
    const choice = choiceOf({
      source: options.source,
      lan: options.lan.length > 0 ? options.lan : config.lan,
      ...(config.audio && { audio: config.audio }),
      spoolBytes: config.spool.maxBytes,
      keepFree: config.spool.minFreeBytes,
    });
    const changed: CameraConfigText = { ...config, owner: toBase64Url(config.owner), ...choice };
    const text = `${JSON.stringify(changed, undefined, 2)}\n`;
    await replaceSecret(systemDisk, directory.config, utf8(text), 0o600);
    return describeSource(parseSource(choice.source, choice.lan));
  } finally {
    await release();
  }
}
