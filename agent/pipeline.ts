import { nodePrimitives } from '../crypto/primitives-node.ts';
import type { Disk } from '../host/disk.ts';
import { traitsOf } from './capture/source.ts';
import type { ServerDial } from './client/dial.ts';
import type { CameraClock } from './clock/camera-clock.ts';
import { type AgentLog, errorFields } from './log.ts';
import { readAccount, readGaps } from './recording/accounting-file.ts';
import { accountOf, emptyCounters, openAccount } from './recording/footage-accounting.ts';
import { FootageGaps } from './recording/footage-gaps.ts';
import { FragmentIngest } from './recording/fragment-ingest.ts';
import { SpoolStore } from './recording/record-store.ts';
import { Recorder } from './recording/recorder.ts';
import { SessionFactory } from './recording/session-factory.ts';
import { allowsSnapshots, SNAPSHOT_INTERVAL_MS } from './snapshots/snapshot-rules.ts';
import { Snapshots } from './snapshots/snapshots.ts';
import { Spool } from './spool/spool.ts';
import type { CameraConfig, CameraDirectory } from './state/camera-directory.ts';
import type { CameraState } from './state/camera-state.ts';
import type { DeviceKey } from './state/device-key.ts';
import type { PolicyWatch } from './state/policy-watch.ts';
import { type PipelineStatus, toSeconds } from './status/status.ts';
import { openUplink } from './uplink/open-uplink.ts';
import type { Uplink } from './uplink/uplink.ts';

export interface PipelineOptions {
  readonly directory: CameraDirectory;
  readonly disk: Disk;
  readonly config: CameraConfig;
  readonly device: DeviceKey;
  readonly state: CameraState;
  /** One is in force. */
  readonly policy: PolicyWatch;
  readonly server: ServerDial;
  readonly certificate: () => string | undefined;
  readonly clock: CameraClock;
  readonly random: () => number;
  readonly logger: AgentLog;
}

/** The line from fragment to server. */
export interface Pipeline {
  readonly recorder: Recorder;
  readonly snapshots: Snapshots;
  readonly ingest: FragmentIngest;
  readonly gaps: FootageGaps;
  readonly uplink: Uplink;
  readonly spool: Spool;
  status(): PipelineStatus;
  /** The next sealed snapshot that the server can keep, taken out of the outbox. */
  takeSnapshot(): Uint8Array | undefined;
  /** Resolves once the end of the last session is known to the spool. */
  sessionsSettled(): Promise<void>;
}

/** Builds the line. @throws SpoolError, HostError from opening the spool. */
export async function openPipeline(options: PipelineOptions): Promise<Pipeline> {
  const { directory, disk, config, device, state, policy, clock, random, logger } = options;
  const { signer } = device;
  const primitives = nodePrimitives;
  const spool = await Spool.open({
    dir: directory.spool,
    disk,
    clock,
    primitives,
    limits: config.spool,
    log: logger,
  });
  const found = spool.stats();
  const opening = openAccount(readAccount(directory.account), found);
  const former = spool.lastSession();
  const interrupted = former && !former.end ? primitives.sha256(former.session.header) : undefined;
  const onFailure = (what: string, cause: unknown) => logger.error(errorFields(cause), what);
  const store = new SpoolStore(spool, onFailure);
  const counters = emptyCounters();
  const sessions = new SessionFactory({
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
    recordedUs: () => counters.sealedUs,
  });
  const snapshots = new Snapshots({
    keyframeFifo: directory.keyframeFifo,
    snapshotFifo: directory.snapshotFifo,
    clock,
    randomBytes: primitives.random,
    intervalMs: config.snapshotSeconds === undefined ? SNAPSHOT_INTERVAL_MS : config.snapshotSeconds * 1000,
    allowed: () => allowsSnapshots(policy.inForce.policy.mode),
    logger,
  });
  const gaps = new FootageGaps(readGaps(directory.gaps), clock.monotonic());
  const recorder = new Recorder({
    cameraId: device.cameraId,
    signer,
    primitives,
    clock,
    store,
    counters,
    snapshots,
    gaps,
    nextSession: () => sessions.next(),
    onFailure,
  });
  const ingest = new FragmentIngest({
    recorder,
    counters,
    audioAllowed: () => policy.inForce.policy.audio,
    live: traitsOf(config.source)?.live ?? false,
    logger,
    clock,
  });
  const { server, certificate } = options;
  const uplink = openUplink({
    server,
    device,
    certificate,
    queue: spool,
    interrupted,
    clock,
    random,
    logger,
  });

  const status = (): PipelineStatus => {
    const held = spool.stats();
    const sent = uplink.stats();
    const life = {
      capturedUs: counters.capturedUs,
      acknowledgedUs: held.acknowledgedUs,
      heldUs: held.heldUs + recorder.waitingUs,
      droppedUs: held.droppedUs - found.droppedUs,
      skippedUs: counters.skippedUs,
      buriedUs: held.buriedUs,
    };
    return {
      session: recorder.sessionNumber,
      dayKey: { number: state.dayKey?.number, exhausted: sessions.exhausted },
      fragments: counters.fragments,
      lastFragmentAt: counters.lastFragmentAt,
      sessions: counters.sessions,
      segments: counters.segments,
      records: counters.records,
      sealedBytes: counters.sealedBytes,
      refusedStreams: counters.refusedStreams,
      capturedSeconds: toSeconds(life.capturedUs),
      recoveredSeconds: toSeconds(found.heldUs),
      acknowledgedSeconds: toSeconds(life.acknowledgedUs),
      heldSeconds: toSeconds(life.heldUs),
      droppedSeconds: toSeconds(life.droppedUs),
      skippedSeconds: toSeconds(life.skippedUs),
      gapSeconds: toSeconds(gaps.totalUs(clock.monotonic())),
      recentGapSeconds: toSeconds(gaps.recentMs(clock.monotonic()) * 1000),
      account: accountOf(opening, life),
      acknowledgedBytes: sent.acknowledgedBytes,
      heldBytes: held.heldBytes,
      spooledBytes: held.diskBytes,
      spool: held,
      uplink: sent,
      snapshots: snapshots.counts(),
    };
  };
  const takeSnapshot = () => snapshots.outbox.take((session) => uplink.knowsSession(session))?.bytes;
  return {
    recorder,
    snapshots,
    ingest,
    gaps,
    uplink,
    spool,
    status,
    takeSnapshot,
    sessionsSettled: () => store.settled,
  };
}
