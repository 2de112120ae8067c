import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runAgent } from '../../agent/agent.ts';
import type { CaptureEnd } from '../../agent/capture/effects.ts';
import { type Cause, causeText } from '../../agent/capture/errors.ts';
import { runCapture } from '../../agent/capture/main.ts';
import { type CaptureState, readCaptureState } from '../../agent/capture/status-file.ts';
import { CameraDirectory } from '../../agent/state/camera-directory.ts';
import { type AgentStatus, readStatus } from '../../agent/status/status.ts';
import { openDirectory } from '../../cli/footage/open-footage.ts';
import type { WrittenMovie } from '../../footage/movie-writer.ts';
import type { FootageReport } from '../../footage/report.ts';
import { systemClock } from '../../host/clock.ts';
import { systemDisk } from '../../host/disk.ts';
import { makeRunDirectory } from '../../launcher/privilege-separation.ts';
import { releaseTimeMs, version } from '../../ota/version.ts';
import { startServer } from '../../server/server.ts';
import { deploymentTemplate, placesIn } from '../e2e/template.ts';

export interface FilmOptions {
  /** A source URI. */
  readonly source: string;
  readonly audio?: boolean;
  /** Resolves when enough was filmed; a source that ends needs none. */
  readonly enough?: (camera: FilmingCamera) => Promise<void>;
  /** After so long it is ended, whatever it does. */
  readonly limitMs: number;
}

/** What can be seen of a camera while it films. */
export interface FilmingCamera {
  status(): AgentStatus | undefined;
  capture(): CaptureState | undefined;
}

/** What became of a source: how capture ended, and the footage, opened. */
export interface Filmed {
  /** `limit`: it went on when it should have ended. */
  readonly end: CaptureEnd | 'limit' | { readonly code: string; readonly message: string };
  readonly capture: CaptureState | undefined;
  readonly status: AgentStatus | undefined;
  /** Undefined where nothing was recorded. */
  readonly report: FootageReport | undefined;
  readonly movies: readonly WrittenMovie[];
  /** What capture and agent logged: level, message and fields. */
  readonly log: readonly string[];
}

/**
 * A camera and its server, both of real parts in this process and joined by real FIFOs and TLS, that film one source; then
 * what the server has, opened with the viewing key. @param look gets all of it, while the movies are there.
 */
export async function filmSource<T>(wish: FilmOptions, look: (filmed: Filmed) => T | Promise<T>): Promise<T> {
  const template = await deploymentTemplate(true);
  const root = mkdtempSync(join(tmpdir(), 'oriel-source-'));
  cpSync(template.directory, root, { recursive: true });
  const { cameraDirectory, serverDirectory, key } = placesIn(root);
  const server = await startServer({
    ...{ directory: serverDirectory, address: '127.0.0.1', port: 0 },
    ...{ releaseTimeMs: releaseTimeMs(), disk: systemDisk, log: NO_LOG },
  });
  try {
    const origin = `https://127.0.0.1:${server.server.port}`;
    const seen = await film(cameraDirectory, origin, wish).finally(() => server.stop());
    const range = { fromMs: 0, toMs: Number.POSITIVE_INFINITY };
    const request = { directory: serverDirectory, keyPath: key, camera: undefined, range };
    const recorded = (seen.status?.segments ?? 0) > 0;
    const out = join(root, 'film.mp4');
    const report = recorded ? await openDirectory({ ...request, out, force: false }) : undefined;
    return await look({ ...seen, report, movies: report?.files ?? [] });
  } finally {
    rmSync(root, { recursive: true });
  }
}

const NO_LOG = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

/** Runs the camera as its launcher does, until capture ends or enough was filmed. */
async function film(path: string, origin: string, { source, audio = false, enough, limitMs }: FilmOptions) {
  const lan = ['127.0.0.1'];
  const config = JSON.parse(readFileSync(join(path, 'camera.json'), 'utf8'));
  // By the kind of its source the agent knows whether its time is that of the world.
  const changed = { ...config, source, lan, audio, server: { ...config.server, origin } };
  writeFileSync(join(path, 'camera.json'), JSON.stringify(changed));
  const directory = new CameraDirectory(path).withRun();
  makeRunDirectory(directory);
  const [captureOver, agentOver] = [new AbortController(), new AbortController()];
  const log: string[] = [];
  const note = (level: string) => (fields: object, message: string) => {
    log.push(`${level} ${message} ${JSON.stringify(fields)}`);
  };
  const logger = { debug: () => undefined, info: note('info'), warn: note('warn'), error: note('error') };
  const agent = runAgent(directory, {
    ...{ clock: systemClock, disk: systemDisk, random: Math.random, logger },
    ...{ releaseTimeMs: releaseTimeMs(), version: version(), hasLauncher: true, place: undefined },
    handsOver: () => false,
    signal: agentOver.signal,
  });
  const camera = {
    status: () => readStatus(directory.status),
    capture: () => readCaptureState(directory.captureRun) ?? undefined,
  };
  let limited = false;
  const limit = setTimeout(() => {
    limited = true;
    captureOver.abort();
  }, limitMs);
  const captured = runCapture(
    { runDir: directory.captureRun, source, audio, lan },
    { clock: systemClock, random: Math.random, logger, signal: captureOver.signal },
  ).catch((error: { code?: string; message: string; why?: Cause }) => ({
    code: error.code ?? '',
    // As status says it.
    message: error.why === undefined ? error.message : causeText(error.why),
  }));
  enough?.(camera).then(
    () => captureOver.abort(),
    () => captureOver.abort(),
  );
  try {
    const end = await captured;
    const capture = camera.capture();
    await uploaded(camera.status);
    agentOver.abort();
    await agent;
    return { end: limited ? ('limit' as const) : end, capture, status: camera.status(), log };
  } finally {
    clearTimeout(limit);
    captureOver.abort();
    agentOver.abort();
    await agent;
  }
}

const QUIET_MS = 700;
const UPLOAD_LOOKS = 80;

/** Waits until nothing is held and nothing more comes: on a machine that does much else, an agent's own time to end is short. */
async function uploaded(status: () => AgentStatus | undefined): Promise<void> {
  for (let looks = 0, before: number | undefined; looks < UPLOAD_LOOKS; looks++) {
    await systemClock.sleep(QUIET_MS);
    const { heldSeconds = 0, capturedSeconds = 0 } = status() ?? {};
    if (heldSeconds === 0 && capturedSeconds === before) return;
    before = capturedSeconds;
  }
}
