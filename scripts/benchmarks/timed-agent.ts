import { statSync } from 'node:fs';
import { join } from 'node:path';
import { serverDial } from '../../agent/client/dial.ts';
import { type CaptureEvents, openCaptureClient } from '../../agent/recording/capture-client.ts';
import { emptyCounters } from '../../agent/recording/footage-accounting.ts';
import { type RecordStore, SpoolStore } from '../../agent/recording/record-store.ts';
import { Recorder } from '../../agent/recording/recorder.ts';
import { SessionFactory } from '../../agent/recording/session-factory.ts';
import { Spool } from '../../agent/spool/spool.ts';
import type { StoredSegment, UploadQueue } from '../../agent/spool/stored-segment.ts';
import { CameraDirectory } from '../../agent/state/camera-directory.ts';
import { CameraState } from '../../agent/state/camera-state.ts';
import { loadCertificate, loadDeviceKey } from '../../agent/state/device-key.ts';
import { PolicyWatch } from '../../agent/state/policy-watch.ts';
import { openUplink } from '../../agent/uplink/open-uplink.ts';
import { toHex } from '../../crypto/bytes.ts';
import { nodePrimitives as primitives } from '../../crypto/primitives-node.ts';
import { systemClock as clock } from '../../host/clock.ts';
import { systemDisk as disk } from '../../host/disk.ts';
import { makeRunDirectory } from '../../launcher/privilege-separation.ts';
import { Fragmenter } from '../../media/fragmenter.ts';
import { segmentFileName, sessionDirectoryName } from '../../wire/footage-layout.ts';

/** Of each fragment: from its first byte at the FIFO, ms. */
export interface Times {
  /** To the record in the server's file, whole. */
  readonly received: readonly number[];
  /** To the line that it has made it durable. */
  readonly durable: readonly number[];
  /** From the first byte of all to the first fragment sealed. */
  readonly firstSealedMs: number;
}

const DRAIN_MS = 10_000;
const log = {
  info: () => undefined,
  warn: (fields: object, message: string) => console.error('bench:', message, fields),
  error: (fields: object, message: string) => console.error('bench:', message, fields),
};

/** How often the server's file is measured while a record is awaited there, ms. */
const MEASURE_MS = 2;

/**
 * The agent as agent/agent.ts builds it, with a stopwatch between its parts.
 * @param footage the directory that the server stores in.
 */
export async function openTimedAgent(camera: string, footage: string): Promise<{ close(): Promise<Times> }> {
  const directory = new CameraDirectory(camera);
  makeRunDirectory(directory);
  const { server, owner, spool: limits } = directory.readConfig();
  const device = await loadDeviceKey(directory);
  const certificate = loadCertificate(directory, device);
  const state = new CameraState(directory, disk);
  const policy = new PolicyWatch(directory, state, { camera: device.camera, owner }, primitives);
  await policy.check();
  const spool = await Spool.open({ dir: directory.spool, disk, clock, primitives, limits, log });
  const onFailure = (what: string, cause: unknown) => log.error({ cause }, what);
  const { signer, cameraId } = device;
  const counters = emptyCounters();
  const stopwatch = new Stopwatch(new SpoolStore(spool, onFailure), spool);
  const sessions = new SessionFactory({
    ...{ signer, primitives, clock, state, logger: log },
    policy: () => policy.inForce,
    previous: async () => undefined,
    recordedUs: () => counters.sealedUs,
  });
  const recorder = new Recorder({
    ...{ cameraId, signer, primitives, clock, counters, onFailure },
    store: stopwatch.store,
    nextSession: () => sessions.next(),
  });
  const uplink = openUplink({
    ...{ device, clock, random: Math.random, logger: log },
    server: serverDial({ server, device, trustedTimeMs: () => Date.now() }),
    certificate: () => certificate,
    queue: stopwatch.queue,
    interrupted: undefined,
  });
  const measuring = setInterval(() => stopwatch.measure(join(footage, device.camera)), MEASURE_MS);
  uplink.start();
  const captureClient = openCaptureClient(
    {
      mediaPath: directory.mediaFifo,
      commandPath: directory.captureFifo,
      agent: toHex(primitives.random(8)),
    },
    stopwatch.ingest(recorder),
  );
  return {
    async close() {
      captureClient.close();
      await recorder.stop();
      await uplink.stop({ drainMs: DRAIN_MS });
      await spool.close();
      clearInterval(measuring);
      return stopwatch.times;
    },
  };
}

interface Lap {
  readonly segment: StoredSegment;
  /** The segment's byte after the record. */
  readonly end: number;
  /** When the fragment's first byte came. */
  readonly start: number;
}

/** Stands between the agent's parts, hands everything on, and notes when. */
class Stopwatch {
  readonly #store: RecordStore;
  readonly #queue: UploadQueue;
  #unreceived: Lap[] = [];
  #undurable: Lap[] = [];
  readonly #received: number[] = [];
  readonly #durable: number[] = [];
  /** When the first byte of all came, and of the fragment that is coming in. */
  #first: number | undefined;
  #pending: number | undefined;
  /** Of the fragment that is being recorded. */
  #start: number | undefined;
  #firstSealedMs = Number.NaN;

  constructor(store: RecordStore, queue: UploadQueue) {
    this.#store = store;
    this.#queue = queue;
  }

  get times(): Times {
    return { received: this.#received, durable: this.#durable, firstSealedMs: this.#firstSealedMs };
  }

  /** Notes what has come into the server's files. @param footage this camera's directory there. */
  measure(footage: string): void {
    const [lap] = this.#unreceived;
    if (lap === undefined) return;
    const { session, sequence } = lap.segment;
    const path = join(footage, sessionDirectoryName(session), segmentFileName(sequence));
    const bytes = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
    this.#unreceived = this.#finish(this.#unreceived, lap.segment, bytes, this.#received);
  }

  /** In place of the agent's intake: tells the recorder of each fragment, and this of its first byte. */
  ingest(recorder: Recorder): CaptureEvents {
    let fragmenter = new Fragmenter();
    return {
      onRunStart: () => {
        fragmenter = new Fragmenter();
      },
      onBytes: (chunk) => {
        const now = clock.monotonic();
        this.#first ??= now;
        for (const event of fragmenter.push(chunk)) {
          this.#start = this.#pending ?? now;
          this.#pending = undefined;
          if (event.kind === 'init') recorder.beginRun(event);
          else recorder.record({ ...event, filmedMs: now - event.durationUs / 1000 });
        }
        if (fragmenter.pendingBytes > 0) this.#pending ??= now;
      },
      onRunEnd: () => recorder.endRun(),
    };
  }

  get store(): RecordStore {
    const store = this.#store;
    return {
      beginSession: (session) => store.beginSession(session),
      endSession: (end) => store.endSession(end),
      beginSegment: (...segment) => store.beginSegment(...segment),
      endSegment: (segment) => store.endSegment(segment),
      append: (segment, record) => {
        const start = this.#start;
        if (record.durationUs > 0 && start !== undefined) {
          const lap = { segment, end: segment.end + record.bytes.length, start };
          this.#unreceived.push(lap);
          this.#undurable.push(lap);
          if (Number.isNaN(this.#firstSealedMs))
            this.#firstSealedMs = clock.monotonic() - (this.#first ?? start);
        }
        store.append(segment, record);
      },
    };
  }

  get queue(): UploadQueue {
    const queue = this.#queue;
    return {
      segments: () => queue.segments(),
      read: (...range) => queue.read(...range),
      acknowledge: (segment, durable) => {
        this.#undurable = this.#finish(this.#undurable, segment, durable, this.#durable);
        queue.acknowledge(segment, durable);
      },
      settle: (segment) => queue.settle(segment),
      isUnread: (session) => queue.isUnread(session),
      subscribe: (listener) => queue.subscribe(listener),
    };
  }

  /** Notes the times of the laps of `segment` that end by byte `reached`, and returns the others. */
  #finish(laps: Lap[], { session, sequence }: StoredSegment, reached: number, into: number[]): Lap[] {
    const now = clock.monotonic();
    return laps.filter((lap) => {
      const over =
        lap.segment.session.id === session.id && lap.segment.sequence === sequence && lap.end <= reached;
      if (over) into.push(now - lap.start);
      return !over;
    });
  }
}
