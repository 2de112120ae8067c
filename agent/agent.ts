import { toHex } from '../crypto/bytes.ts';
import { nodePrimitives } from '../crypto/primitives-node.ts';
import type { Clock } from '../host/clock.ts';
import { DirectoryChanges, type Follower } from '../host/directory-changes.ts';
import { Camera } from './camera.ts';
import type { AgentEffects } from './effects.ts';
import { errorFields } from './log.ts';
import { awaitSetup } from './pairing/await-setup.ts';
import { openPipeline, type Pipeline } from './pipeline.ts';
import { overwriteGaps } from './recording/accounting-file.ts';
import { openCaptureClient } from './recording/capture-client.ts';
import { claimCamera } from './state/camera-claim.ts';
import type { CameraDirectory } from './state/camera-directory.ts';

const CHECK_INTERVAL_MS = 1000;
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
  const camera = await Camera.open(directory, changes, effects);
  const { policy, policyOnFile, device, pairing, status, time } = camera;
  logger.info({ camera: device.camera, server: pairing.pinned.origin }, 'agent started');
  status.show('waiting', undefined);
  // What its owner has chosen counts from the first check for updates on.
  await policyOnFile.check();
  const running = camera.run(signal);

  for (;;) {
    await policyOnFile.check();
    if (signal.aborted || policy.present) break;
    status.show('waiting', undefined);
    await clock.sleep(CHECK_INTERVAL_MS, signal).catch(() => undefined);
  }
  const ready = !signal.aborted;
  if (ready) {
    const pipeline = await openPipeline({
      ...camera,
      ...effects,
      server: pairing.server,
      certificate: () => camera.certificate,
      clock: time,
    });
    await record(camera, pipeline, changes.follow(), effects);
  }
  await running;
  await time.keep(true).catch((cause) => logger.error(errorFields(cause), 'trusted time not kept'));
  if (!ready) status.show('stopped', undefined);
}

/** Records until the agent is to end; then closes what is open and uploads what it can. */
async function record(
  camera: Camera,
  pipeline: Pipeline,
  changes: Follower,
  { clock, logger, signal, handsOver }: AgentEffects,
): Promise<void> {
  const { recorder, ingest, uplink, spool } = pipeline;
  const { directory, time, policy, policyOnFile, status } = camera;
  const audioAllowed = () => policy.inForce.policy.audio;
  camera.pairing.uplinks.add(uplink);
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
      if (await policyOnFile.check()) {
        recorder.outdateSession();
        camera.updates?.checkNow();
      }
      if (audioAllowed() !== withAudio) captureClient.refuse();
      await changes.next(signal);
    }
  };
  const obeying = obeyPolicies();
  while (!signal.aborted) {
    status.show('running', pipeline);
    overwriteGaps(directory.gaps, pipeline.gaps.kept);
    await clock.sleep(CHECK_INTERVAL_MS, signal).catch(() => undefined);
    await time.keep().catch((cause) => logger.error(errorFields(cause), 'trusted time not kept'));
  }
  await obeying;

  captureClient.close();
  ingest.finish();
  pipeline.gaps.end();
  await Promise.all([recorder.stop(), pipeline.snapshots.close()]);
  await pipeline.sessionsSettled();
  const drained = uplink.stop({ drainMs: handsOver() ? HAND_OVER_DRAIN_MS : DRAIN_MS });
  const shown = showWhile(drained, () => status.show('draining', pipeline), clock);
  await drained;
  await shown;
  await spool.close();
  status.show('stopped', pipeline);
  logger.info({ heldBytes: spool.stats().heldBytes }, 'agent ended');
}

async function showWhile(work: Promise<void>, show: () => void, clock: Clock): Promise<void> {
  let working = true;
  const ended = work.finally(() => {
    working = false;
  });
  while (working) {
    show();
    await Promise.race([ended, clock.sleep(CHECK_INTERVAL_MS)]);
  }
}
