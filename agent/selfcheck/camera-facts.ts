import { X509Certificate } from 'node:crypto';
import {
  closeSync,
  fsyncSync,
  openSync,
  type Stats,
  statfsSync,
  statSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { readCertificate } from '../../crypto/certificate.ts';
import { systemClock } from '../../host/clock.ts';
import { systemDisk } from '../../host/disk.ts';
import { pickEncoder } from '../capture/codecs.ts';
import type { RunFfmpeg } from '../capture/ffmpeg-runner.ts';
import { parseSource } from '../capture/source.ts';
import { CameraClock } from '../clock/camera-clock.ts';
import { readPairing } from '../pairing/pairing-file.ts';
import type { CameraDirectory } from '../state/camera-directory.ts';
import { loadCertificate, loadDeviceKey } from '../state/device-key.ts';
import type { AgentStatus } from '../status/status.ts';
import type {
  CameraFiles,
  CertificateFacts,
  ClockFacts,
  ConfigFacts,
  FileFacts,
  SpoolFacts,
  ToolFacts,
} from './facts.ts';

/** Gathers what there is to know of a camera's files, clock, spool, source and ffmpeg. */

export function filesOf(directory: CameraDirectory): CameraFiles {
  return {
    directory: fileFacts(directory.path),
    deviceKey: fileFacts(directory.deviceKey),
    config: fileFacts(directory.config),
    pairing: fileFacts(directory.pairing),
    setupCode: fileFacts(directory.setupCode),
  };
}

function fileFacts(path: string): FileFacts | undefined {
  const stats = statOf(path);
  return stats && { path, mode: stats.mode & 0o777, uid: stats.uid };
}

function statOf(path: string): Stats | undefined {
  try {
    return statSync(path);
  } catch {
    return undefined;
  }
}

export function configOf(directory: CameraDirectory): ConfigFacts | { readonly error: string } {
  try {
    const { server, source: uri, lan, spool } = directory.readConfig();
    return { pins: server.pins, spool, ...sourceOf(uri, lan) };
  } catch (error) {
    return { error: (error as Error).message };
  }
}

function sourceOf(uri: string, lan: readonly string[]): Pick<ConfigFacts, 'source' | 'sourceError'> {
  try {
    return { source: parseSource(uri, lan), sourceError: undefined };
  } catch (error) {
    return { source: undefined, sourceError: (error as Error).message };
  }
}

export async function certificateOf(directory: CameraDirectory): Promise<CertificateFacts> {
  const claiming = await readPairing(directory, systemDisk).then(
    (pairing) => pairing?.token !== undefined,
    () => false,
  );
  if (statOf(directory.certificate) === undefined) return { state: 'none', endsMs: undefined, claiming };
  try {
    const pem = loadCertificate(directory, await loadDeviceKey(directory));
    return { state: 'good', endsMs: readCertificate(new X509Certificate(pem).raw).notAfterMs, claiming };
  } catch {
    return { state: 'wrong', endsMs: undefined, claiming };
  }
}

/** @param status what a running agent wrote `silentMs` ago. */
export async function clockOf(
  directory: CameraDirectory,
  releaseTimeMs: number,
  status: AgentStatus | undefined,
  silentMs: number,
): Promise<ClockFacts> {
  const path = directory.trustedTime;
  const kept = await CameraClock.open({ clock: systemClock, disk: systemDisk, path, releaseTimeMs }).then(
    ({ trustedMs }) => trustedMs,
    () => releaseTimeMs,
  );
  const serverMs = status?.clock.server;
  return {
    machineMs: systemClock.now(),
    trustedMs: Math.max(kept, status?.clock.trusted ?? 0),
    serverMs: serverMs === undefined ? undefined : serverMs + silentMs,
  };
}

/** Tries the spool by writing a block to it. */
export function spoolOf(directory: CameraDirectory, status: AgentStatus | undefined): SpoolFacts {
  const stats = statOf(directory.spool);
  const place = stats === undefined ? directory.path : directory.spool;
  return {
    error: writingError(join(place, `.selfcheck-${process.pid}`)),
    uid: stats?.uid,
    freeBytes: freeBytes(place),
    usedBytes: status?.spooledBytes,
  };
}

function writingError(path: string): string | undefined {
  try {
    const file = openSync(path, 'wx', 0o600);
    try {
      writeSync(file, Buffer.alloc(4096));
      fsyncSync(file);
    } finally {
      closeSync(file);
      unlinkSync(path);
    }
    return undefined;
  } catch (error) {
    return `nothing can be written there: ${(error as NodeJS.ErrnoException).code}`;
  }
}

function freeBytes(path: string): number | undefined {
  try {
    const { bavail, bsize } = statfsSync(path);
    return bavail * bsize;
  } catch {
    return undefined;
  }
}

export async function toolsOf(run: RunFfmpeg): Promise<ToolFacts> {
  const said = async (command: 'ffmpeg' | 'ffprobe', ...args: string[]) => {
    try {
      const { code, stdout } = await run({ command, args: ['-hide_banner', ...args], stdin: null });
      return code === 0 ? stdout : undefined;
    } catch {
      return undefined;
    }
  };
  const version = /^ffmpeg version (\S{1,80})/.exec((await said('ffmpeg', '-version')) ?? '')?.[1];
  if (version === undefined) return { version, ffprobe: false, encoders: [] };
  const listed = (await said('ffmpeg', '-encoders')) ?? '';
  const has = (name: string) => new RegExp(`^ V\\S* +${name} `, 'm').test(listed);
  const board = has('h264_v4l2m2m') && (await pickEncoder(run).catch(() => '')) === 'h264_v4l2m2m';
  return {
    version,
    ffprobe: (await said('ffprobe', '-version')) !== undefined,
    encoders: [...(board ? ['h264_v4l2m2m'] : []), ...(has('libx264') ? ['libx264'] : [])],
  };
}
