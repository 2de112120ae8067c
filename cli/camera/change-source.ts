import { parseSource, type Source, traitsOf } from '../../agent/capture/source.ts';
import { keepDestinations } from '../../agent/firewall/destinations-file.ts';
import { claimCamera } from '../../agent/state/camera-claim.ts';
import { type CameraConfigText, CameraDirectory } from '../../agent/state/camera-directory.ts';
import { replaceSecret } from '../../agent/state/erase-camera.ts';
import { toBase64Url, utf8 } from '../../crypto/bytes.ts';
import { asOwnerOf } from '../../host/as-owner.ts';
import { systemDisk } from '../../host/disk.ts';
import { choiceOf, sourceText } from './config-options.ts';
import type { FirewallState } from './firewall-state.ts';

export interface SourceOptions extends FirewallState {
  readonly source: string;
  /** Empty: as before. */
  readonly lan: readonly string[];
  /** Undefined: as before. */
  readonly audio?: boolean;
}

/**
 * `oriel camera source`: the camera stays the same, with another source or another password for it.
 * @returns the source, as it may be shown.
 * @throws CameraError CAMERA_MISSING, CAMERA_RUNNING; CommandError USAGE.
 */
export async function changeSource(dir: string, options: SourceOptions): Promise<string> {
  const directory = new CameraDirectory(dir);
  const given = sourceText(options.source);
  const source = await asOwnerOf(dir, () => replaceSource(directory, given, options));
  await keepDestinations(options.firewallState, dir, (kept) => kept && { ...kept, source: source.dials });
  return source.describe();
}

/** A camera that recorded sound goes on without where the new source has none. */
const bringsNoSound = (source: string) => traitsOf(source)?.sound === false;

async function replaceSource(
  directory: CameraDirectory,
  source: string,
  { lan, audio }: Pick<SourceOptions, 'lan' | 'audio'>,
): Promise<Source> {
  directory.readConfig();
  const release = await claimCamera(directory, 'alone');
  try {
    const config = directory.readConfig();
    const choice = choiceOf({
      source,
      lan: lan.length > 0 ? lan : config.lan,
      audio: audio ?? (config.audio && !bringsNoSound(source)),
      spoolBytes: config.spool.maxBytes,
      keepFree: config.spool.minFreeBytes,
    });
    const changed: CameraConfigText = { ...config, owner: toBase64Url(config.owner), ...choice };
    const text = `${JSON.stringify(changed, undefined, 2)}\n`;
    await replaceSecret(systemDisk, directory.config, utf8(text), 0o600);
    return parseSource(choice.source, choice.lan);
  } finally {
    release();
  }
}
