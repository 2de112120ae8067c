import { toHex } from '../crypto/bytes.ts';
import { viewersBelowFloor } from '../crypto/day-keys.ts';
import { idText } from '../crypto/header.ts';
import { nodePrimitives } from '../crypto/primitives-node.ts';
import type { Clock } from '../host/clock.ts';
import { DirectoryChanges, type Follower } from '../host/directory-changes.ts';
import type { Disk } from '../host/disk.ts';
import { FailureTracker } from './client/failure-tracker.ts';
import { CameraClock } from './clock/camera-clock.ts';
import { openControl } from './control/open-control.ts';
import { type AgentLog, errorFields } from './log.ts';
import { awaitSetup } from './pairing/await-setup.ts';
import { openPairing } from './pairing/open-pairing.ts';
import { openPipeline, type Pipeline } from './pipeline.ts';
import { openCaptureClient } from './recording/capture-client.ts';
import { accountKeeper, overwriteGaps } from './state/accounting-file.ts';
import { claimCamera } from './state/camera-claim.ts';
import type { CameraDirectory } from './state/camera-directory.ts';
import { CameraState } from './state/camera-state.ts';
import { loadDeviceKey } from './state/device-key.ts';
import { PolicyWatch } from './state/policy-watch.ts';
import { type AgentStatus, idlePipeline, unpairedStatus } from './status.ts';
import { StatusFile } from './status-file.ts';
import { statusIsDue } from './status-rules.ts';
import type { OpenedUpdates, OpenUpdatesOptions, SlotPlace } from './updates/open-updates.ts';

export interface AgentEffects {
  readonly clock: Clock;
  readonly disk: Disk;
  /** 0 to 1, for the jitter of retries. */
  readonly random: () => number;
  /** Release time of this build, milliseconds since 1970. */
  readonly releaseTimeMs: number;
  readonly version: string;
  readonly logger: AgentLog;
  /** Whether a launcher started it, which keeps others out. */
  readonly hasLauncher: boolean;
  /** The slot that it runs from; undefined where nothing updates it. */
  readonly place: SlotPlace | undefined;
  /** Whether another agent goes on from here at once, and uploads what this one has not. */
  readonly handsOver: () => boolean;
  /** Whether the kernel calls the machine's clock synchronised; undefined while the launcher has not said. */
  readonly clockIsSynchronised?: () => boolean | undefined;
  /** Aborted to end the agent: it closes what is open and uploads what it can. */
  readonly signal: AbortSignal;
}

const LOOK_INTERVAL_MS = 1000;
/** How long an ending agent goes on uploading; the rest stays in the spool. */
const DRAIN_MS = 4_500;
/** The same where nothing is filmed until it has ended. */
const HAND_OVER_DRAIN_MS = 500;

/**
 * The agent: waits to be set up, enrols, waits for its owner's policy; then takes what capture brings, seals it, and
 * keeps it until the server has it durably.
 */
export async function runAgent(directory: CameraDirectory, effects: AgentEffects): Promise<void> {
  const { clock, signal, logger, hasLauncher } = effects;
  if (!(await awaitSetup(directory, { clock, logger, signal }))) return;
  const release = await claimCamera(directory, hasLauncher ? 'agent' : 'alone');
  try {
    await runPaired(directory, effects);
  } finally {
    release();
  }
}

/** Whatever it fails with, nothing of it goes on afterwards. */
async function runPaired(directory: CameraDirectory, effects: AgentEffects): Promise<void> {
  const failed = new AbortController();
  const signal = AbortSignal.any([effects.signal, failed.signal]);
  try {
    await runCamera(directory, { ...effects, signal });
  } finally {
    failed.abort();
  }
}

async function runCamera(directory: CameraDirectory, effects: AgentEffects): Promise<void> {
  const { logger, signal, clock } = effects;
  const changes = new DirectoryChanges(directory.path, clock);
  signal.addEventListener('abort', () => changes.close(), { once: true });
  const camera = await openCamera(directory, changes, effects);
  const { policy, device, pairing, time } = camera;
  logger.info({ camera: device.camera, server: pairing.pinned.origin }, 'agent started');
  camera.show('waiting', undefined);
  // What its owner has chosen counts from the first look for updates on.
  await camera.lookForPolicy();
  const looking = Promise.all([
    pairing.run(signal),
    camera.control.run(signal),
    camera.updates?.run(camera.showing, signal),
  ]);

  const untilNextLook = () => clock.sleep(LOOK_INTERVAL_MS, signal).catch(() => undefined);
  for (;;) {
    await camera.lookForPolicy();
    if (signal.aborted || policy.present) break;
    camera.show('waiting', undefined);
    await untilNextLook();
  }
  const ready = !signal.aborted;
  if (ready) {
    const pipeline = await openPipeline({
      ...camera,
      ...effects,
      directory,
      certificate: camera.certificate,
      clock: time,
    });
    await record(directory, camera, pipeline, changes.follow(), effects);
  }
  await looking;
  await camera.time.keep(true).catch((cause) => logger.error(errorFields(cause), 'trusted time not kept'));
  if (!ready) camera.show('stopped', undefined);
}

type Camera = Awaited<ReturnType<typeof openCamera>>;

/** What a camera has before it records: identity, certificate, policy, time, and what shows them. */
async function openCamera(directory: CameraDirectory, changes: DirectoryChanges, effects: AgentEffects) {
  const { clock, disk, random, releaseTimeMs, logger, place } = effects;
  const config = directory.readConfig();
  const device = await loadDeviceKey(directory);
  const time = await CameraClock.open({
    clock,
    disk,
    path: directory.trustedTime,
    releaseTimeMs,
    synchronised: effects.clockIsSynchronised,
  });
  const state = new CameraState(directory, disk);
  const identity = { camera: device.camera, owner: config.owner };
  const policy = new PolicyWatch(directory, state, identity, nodePrimitives);
  const pairing = await openPairing({
    directory,
    disk,
    config,
    device,
    state,
    watch: policy,
    onTrial: async () => (await updates?.onTrial()) ?? false,
    clock: time,
    changes,
    random,
    logger,
  });
  const { pinned, server, enrolment, poll, uplinks } = pairing;

  const onFile = new FailureTracker('the policy on file is not obeyed', time, logger);
  const keepAccount = accountKeeper(directory, clock);
  const file = new StatusFile(directory);
  let shown: Pick<AgentStatus, 'state' | 'since'> & { readonly pipeline: Pipeline | undefined } = {
    state: 'waiting',
    since: time.now(),
    pipeline: undefined,
  };
  let writtenAt = Number.NEGATIVE_INFINITY;
  let status = unpairedStatus(time.now());
  /** Told what the camera does now, whenever that is something else. */
  let onPhase: () => void = () => undefined;
  const statusNow = (): AgentStatus => {
    const { pipeline, ...phase } = shown;
    const { readOnly: wasReadOnly } = status;
    const readOnly = directory.isReadOnly;
    if (readOnly && !wasReadOnly) {
      logger.error({}, 'the card is read-only: what is filmed waits in memory, and nothing is kept');
    } else if (wasReadOnly && !readOnly) logger.info({}, 'the card can be written to again');
    const lineStatus = pipeline?.status() ?? idlePipeline();
    keepAccount(lineStatus.account, pipeline?.gaps.kept, phase.state !== 'running');
    status = {
      camera: device.camera,
      server: pinned.origin,
      pins: pinned.pins,
      keyShare: server.keyShare,
      pinning: { counter: pinned.counter, trouble: pairing.pinsTrouble() },
      pid: process.pid,
      ...phase,
      at: time.now(),
      clock: {
        source: time.source,
        trusted: time.trustedMs,
        server: time.serverMs,
        serverApart: time.serverApartMs,
      },
      enrolment: enrolment.status,
      policy: { ...policyShown(policy), trouble: onFile.view ?? poll.trouble },
      control: control.view,
      updates: updates && { trouble: updates.trouble },
      release: updates?.release,
      ...lineStatus,
      readOnly,
      memoryBytes: process.memoryUsage.rss(),
    };
    if (readOnly !== wasReadOnly) onPhase();
    return status;
  };
  const show = (state: AgentStatus['state'], pipeline: Pipeline | undefined) => {
    const isNews = writtenAt === Number.NEGATIVE_INFINITY || shown.state !== state;
    shown = { state, since: isNews ? time.now() : shown.since, pipeline };
    const now = clock.monotonic();
    if (!statusIsDue({ isNews, wasRead: file.wasRead, sinceMs: now - writtenAt })) return;
    writtenAt = now;
    file.write(statusNow());
    if (isNews) onPhase();
  };
  const certificate = () => enrolment.certificate;
  const common = { directory, disk, device, server, certificate, clock: time, random, logger };
  const choice = () => (policy.present ? policy.inForce.policy.updates : undefined);
  const updates = place === undefined ? undefined : await loadUpdates({ ...common, place, choice });
  const control = openControl({
    directory,
    disk,
    camera: device.camera,
    server,
    certificate,
    status: statusNow,
    ...(config.telemetrySeconds !== undefined && { telemetryMs: config.telemetrySeconds * 1000 }),
    version: updates?.version ?? effects.version,
    refresh: () => {
      poll.checkNow();
      updates?.checkNow();
    },
    clock: time,
    random,
    logger,
  });
  onPhase = () => control.tellNow();
  uplinks.add(control);
  if (updates !== undefined) uplinks.add(updates);
  /** What has been recorded once stays so. */
  const showing = () => ({
    status: status.records > 0 ? status : statusNow(),
    mayFilm: policy.present,
    connected: control.view.connected,
  });
  const lookForPolicy = policyLook(policy, onFile);
  return {
    config,
    device,
    time,
    state,
    policy,
    server,
    pairing,
    certificate,
    control,
    updates,
    showing,
    uplinks,
    lookForPolicy,
    show,
  };
}

/** A camera that nothing updates does without the code for it. */
async function loadUpdates(options: OpenUpdatesOptions): Promise<OpenedUpdates> {
  const { openUpdates } = await import('./updates/open-updates.ts');
  return openUpdates(options);
}

/** Records until the agent is to end; then closes what is open and uploads what it can. */
async function record(
  directory: CameraDirectory,
  camera: Camera,
  pipeline: Pipeline,
  changes: Follower,
  { clock, logger, signal, handsOver }: AgentEffects,
): Promise<void> {
  const { recorder, ingest, uplink, spool } = pipeline;
  const { time, policy } = camera;
  const audioAllowed = () => policy.inForce.policy.audio;
  camera.uplinks.add(uplink);
  camera.control.carry({ take: pipeline.takeSnapshot, request: () => pipeline.snapshots.request() });
  pipeline.snapshots.outbox.onPut = () => camera.control.snapshotReady();
  uplink.start();
  const captureClient = openCaptureClient(
    {
      mediaPath: directory.mediaFifo,
      commandPath: directory.captureFifo,
      agent: toHex(nodePrimitives.random(8)),
      audio: audioAllowed,
      from: () => ingest.takenSeconds,
      onFault: (fault) =>
        fault === undefined
          ? logger.info({}, 'the FIFOs to capture are there again')
          : logger.error(errorFields(fault), 'nothing is captured until the FIFO is made anew'),
    },
    ingest,
  );
  ingest.attach(captureClient);
  logger.info({ source: time.source }, 'recording may begin');

  const obeyPolicies = async () => {
    while (!signal.aborted) {
      const withAudio = audioAllowed();
      if (await camera.lookForPolicy()) {
        recorder.outdateSession();
        camera.updates?.checkNow();
      }
      if (audioAllowed() !== withAudio) captureClient.refuse();
      await changes.next(signal);
    }
  };
  const obeying = obeyPolicies();
  while (!signal.aborted) {
    camera.show('running', pipeline);
    overwriteGaps(directory.gaps, pipeline.gaps.kept);
    await clock.sleep(LOOK_INTERVAL_MS, signal).catch(() => undefined);
    await time.keep().catch((cause) => logger.error(errorFields(cause), 'trusted time not kept'));
  }
  await obeying;

  captureClient.close();
  ingest.finish();
  pipeline.gaps.end();
  await Promise.all([recorder.stop(), pipeline.snapshots.close()]);
  await pipeline.sessionsSettled();
  const drained = uplink.stop({ drainMs: handsOver() ? HAND_OVER_DRAIN_MS : DRAIN_MS });
  const shown = showWhile(drained, () => camera.show('draining', pipeline), clock);
  await drained;
  await shown;
  await spool.close();
  camera.show('stopped', pipeline);
  logger.info({ heldBytes: spool.stats().heldBytes }, 'agent ended');
}

/** Looks for a new policy, and notes why the one on file is not obeyed. */
function policyLook(policy: PolicyWatch, onFile: FailureTracker): () => Promise<boolean> {
  return async () => {
    try {
      const changed = await policy.check();
      if (policy.notKept !== undefined) onFile.note(policy.notKept);
      else if (!policy.fileRefused) onFile.over();
      return changed;
    } catch (cause) {
      const waiting = errorFields(cause).code === 'POLICY_MISSING' && !policy.present;
      if (!waiting) onFile.note(cause);
      return false;
    }
  };
}

/** What is shown of the policy in force; 0.0 while there is none. */
function policyShown(policy: PolicyWatch): Omit<AgentStatus['policy'], 'trouble'> {
  if (!policy.present) return { epoch: 0, counter: 0, belowFloor: [] };
  const { policy: terms, viewers } = policy.inForce;
  const belowFloor = viewersBelowFloor(viewers).map(({ viewer }) => idText(viewer));
  return { epoch: terms.epoch, counter: terms.counter, belowFloor };
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
