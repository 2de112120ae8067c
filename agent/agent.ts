import { toHex } from '../crypto/bytes.ts';
import { nodePrimitives } from '../crypto/primitives-node.ts';
import type { Clock } from '../host/clock.ts';
import type { Disk } from '../host/disk.ts';
import type { CameraConfig, CameraDirectory } from './camera/camera-directory.ts';
import { CameraState } from './camera/camera-state.ts';
import { type DeviceKey, loadCertificate, loadDeviceKey } from './camera/device-key.ts';
import { PolicyWatch } from './camera/policy-watch.ts';
import { openCaptureFeed } from './capture/feed.ts';
import { type AgentLog, errorFields } from './log.ts';
import { Intake } from './recording/intake.ts';
import { Recorder } from './recording/recorder.ts';
import { SessionMaker } from './recording/session-maker.ts';
import { SpoolStore } from './recording/spool-store.ts';
import { emptyTally } from './recording/tally.ts';
import { openServerLink } from './server-link.ts';
import { Spool } from './spool/spool.ts';
import { type AgentStatus, toSeconds, writeStatus } from './status.ts';

export interface AgentEffects {
  readonly clock: Clock;
  readonly disk: Disk;
  /** 0 to 1, for the jitter of retries. */
  readonly random: () => number;
  /** Release time of this build, milliseconds since 1970. */
  readonly releaseTimeMs: number;
  readonly logger: AgentLog;
  /** Aborted to end the agent: it closes what is open and uploads what it can. */
  readonly signal: AbortSignal;
}

const LOOK_INTERVAL_MS = 1000;
/** How long an ending agent goes on uploading; the rest stays in the spool. */
const DRAIN_MS = 10_000;

/** The agent: takes what capture brings, seals it, and keeps it until the server has it durably. */
export async function runAgent(directory: CameraDirectory, effects: AgentEffects): Promise<void> {
  const { clock, logger, signal } = effects;
  const config = directory.readConfig();
  const device = await loadDeviceKey(directory);
  const certificate = loadCertificate(directory, device);
  const line = await openLine(directory, config, device, certificate, effects);
  const { recorder, intake, uplink, spool, show } = line;
  const policyChanged = policyLook(line.policy, logger);

  uplink.start();
  const feed = openCaptureFeed(
    {
      mediaPath: directory.mediaFifo,
      commandPath: directory.captureFifo,
      agent: toHex(nodePrimitives.random(8)),
    },
    intake,
  );
  intake.attach(feed);
  logger.info({ camera: device.camera, server: config.server.origin }, 'agent started');

  while (!signal.aborted) {
    show('running');
    await clock.sleep(LOOK_INTERVAL_MS, signal).catch(() => undefined);
    if (await policyChanged()) recorder.outdateSession();
  }

  feed.close();
  await recorder.stop();
  await line.sessionsSettled();
  const drained = uplink.stop({ drainMs: DRAIN_MS });
  const shown = showWhile(drained, () => show('draining'), clock);
  await drained;
  await shown;
  await spool.close();
  show('stopped');
  logger.info({ heldBytes: spool.stats().heldBytes }, 'agent ended');
}

/** Builds the line from fragment to server, and what shows it. */
async function openLine(
  directory: CameraDirectory,
  config: CameraConfig,
  device: DeviceKey,
  certificate: string,
  { clock, disk, random, releaseTimeMs, logger }: AgentEffects,
) {
  const { signer } = device;
  const primitives = nodePrimitives;
  const state = new CameraState(directory, disk);
  const policy = new PolicyWatch(
    directory,
    state,
    { camera: device.camera, owner: config.owner },
    primitives,
  );
  await policy.check();

  const spool = await Spool.open({
    dir: directory.spool,
    disk,
    clock,
    primitives,
    limits: config.spool,
    log: logger,
  });
  const recoveredUs = spool.stats().heldUs;
  const onFailure = (what: string, cause: unknown) => logger.error(errorFields(cause), what);
  const store = new SpoolStore(spool, onFailure);
  const tally = emptyTally();
  const sessions = new SessionMaker({
    signer,
    primitives,
    clock,
    state,
    logger,
    policy: () => policy.inForce,
    previous: async () => {
      await store.settled;
      const last = spool.lastSession();
      return last && { number: last.session.number, header: last.session.header, end: last.end };
    },
    recordedUs: () => tally.sealedUs,
  });
  const recorder = new Recorder({
    cameraId: device.cameraId,
    signer,
    primitives,
    clock,
    store,
    tally,
    nextSession: () => sessions.next(),
    onFailure,
  });
  const intake = new Intake({ recorder, tally, audioAllowed: () => policy.inForce.policy.audio, logger });
  const startedAt = clock.monotonic();
  const uplink = openServerLink({
    server: config.server,
    device,
    certificate,
    queue: spool,
    clock,
    random,
    trustedTimeMs: () => releaseTimeMs + clock.monotonic() - startedAt,
    logger,
  });

  const show = (phase: AgentStatus['state']) => {
    const held = spool.stats();
    const sent = uplink.stats();
    const { epoch, counter } = policy.inForce.policy;
    writeStatus(directory.status, {
      camera: device.camera,
      server: config.server.origin,
      pins: config.server.pins,
      pid: process.pid,
      state: phase,
      at: clock.now(),
      session: recorder.sessionNumber,
      policy: { epoch, counter },
      dayKey: { number: state.dayKey?.number, exhausted: sessions.exhausted },
      fragments: tally.fragments,
      sessions: tally.sessions,
      segments: tally.segments,
      records: tally.records,
      sealedBytes: tally.sealedBytes,
      refusedStreams: tally.refusedStreams,
      capturedSeconds: toSeconds(tally.capturedUs),
      recoveredSeconds: toSeconds(recoveredUs),
      acknowledgedSeconds: toSeconds(held.acknowledgedUs),
      heldSeconds: toSeconds(held.heldUs),
      droppedSeconds: toSeconds(held.droppedUs),
      skippedSeconds: toSeconds(tally.skippedUs),
      acknowledgedBytes: sent.acknowledgedBytes,
      heldBytes: held.heldBytes,
      spooledBytes: held.diskBytes,
      spool: held,
      uplink: sent,
      memoryBytes: process.memoryUsage.rss(),
    });
  };
  return { recorder, intake, uplink, spool, policy, show, sessionsSettled: () => store.settled };
}

/** Looks for a new policy; says once, not every second, why the one on file is not obeyed. */
function policyLook(policy: PolicyWatch, logger: AgentLog): () => Promise<boolean> {
  let complaint = '';
  return async () => {
    try {
      const changed = await policy.check();
      complaint = '';
      return changed;
    } catch (cause) {
      const fields = errorFields(cause);
      if (fields.reason !== complaint) logger.error(fields, 'the policy on file is not obeyed');
      complaint = fields.reason;
      return false;
    }
  };
}

async function showWhile(work: Promise<void>, show: () => void, clock: Clock): Promise<void> {
  let working = true;
  const ended = work.finally(() => {
    working = false;
  });
  while (working) {
    show();
    await Promise.race([ended, clock.sleep(LOOK_INTERVAL_MS)]);
  }
}
