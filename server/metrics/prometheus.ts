import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { ConnectionStats } from '../http/connections.ts';
import type { CameraUsage } from '../registry/usage-table.ts';
import type { MirrorState } from '../updates/state.ts';
import type { Meter } from './meter.ts';

/** What is looked up when metrics are asked for. */
export interface Sources {
  readonly enrolled: () => Promise<readonly string[]>;
  readonly usage: (camera: string) => CameraUsage;
  readonly connectionStats: () => ConnectionStats;
  readonly freeBytes: () => Promise<number>;
  /** Of a maker that is followed. */
  readonly updates?: () => MirrorState | undefined;
}

export interface Prometheus {
  readonly meter: Meter;
  /** The text exposition format of Prometheus. */
  readonly contentType: string;
  /** Sources are named once there are any. */
  render(sources: Sources): Promise<string>;
}

const REQUEST_SECONDS = [0.005, 0.02, 0.1, 0.5, 2, 5, 15, 60, 300];
const SYNC_SECONDS = [0.0005, 0.002, 0.005, 0.02, 0.05, 0.2, 1, 5];

/** A server's metrics. The labels are closed sets, and the ids of enrolled cameras. */
export function openPrometheus(): Prometheus {
  const register = new Registry();
  const registers = [register];
  collectDefaultMetrics({ register });
  const counter = (name: string, help: string, labelNames: string[] = []) =>
    new Counter({ name: `oriel_${name}`, help, labelNames, registers });
  const gauge = (name: string, help: string, labelNames: string[] = []) =>
    new Gauge({ name: `oriel_${name}`, help, labelNames, registers });
  const histogram = (name: string, help: string, buckets: number[], labelNames: string[] = []) =>
    new Histogram({ name: `oriel_${name}`, help, buckets, labelNames, registers });

  const requests = histogram('request_seconds', 'Requests, until answered', REQUEST_SECONDS, ['route']);
  const refusals = counter('refusals_total', 'Requests refused', ['code']);
  const stored = counter('stored_bytes_total', 'Footage appended, bytes');
  const segments = counter('segments_total', 'Segments begun and ended', ['event']);
  const syncs = histogram('sync_seconds', 'Until something was durable on the disk', SYNC_SECONDS);
  const enrolled = gauge('cameras_enrolled', 'Cameras that may come in');
  const online = gauge('cameras_online', 'Cameras that are connected');
  const connections = gauge('connections', 'Open connections', ['of']);
  const turnedAway = counter('turned_away_total', 'Connections turned away before a request');
  const free = gauge('disk_free_bytes', 'Free on the disk of the footage');
  const footage = gauge('camera_footage_bytes', 'Footage of an enrolled camera', ['camera']);
  const sessions = gauge('camera_sessions', 'Sessions of an enrolled camera', ['camera']);
  const updates = gauge('updates_timestamp_seconds', 'Updates that follow a maker, Unix time', ['of']);
  const updatesFailing = gauge('updates_failing', 'Checks for updates in a row that failed', ['code']);

  const showUpdates = (state: MirrorState | undefined) => {
    updates.reset();
    updatesFailing.reset();
    if (state === undefined) return;
    const { followedAt, edition, failure } = state;
    if (followedAt !== null) updates.set({ of: 'followed' }, Date.parse(followedAt) / 1000);
    if (edition !== null) updates.set({ of: 'expires' }, Date.parse(edition.expiresAt) / 1000);
    updatesFailing.set({ code: failure?.code ?? 'none' }, failure?.times ?? 0);
  };

  return {
    contentType: register.contentType,
    meter: {
      answered: (route, seconds) => requests.observe({ route }, seconds),
      refused: (code) => refusals.inc({ code }),
      stored: (bytes) => stored.inc(bytes),
      segment: (event) => segments.inc({ event }),
      synced: (seconds) => syncs.observe(seconds),
    },
    async render(sources) {
      const ids = await sources.enrolled();
      enrolled.set(ids.length);
      const connectionStats = sources.connectionStats();
      online.set(connectionStats.cameras);
      connections.set({ of: 'cameras' }, connectionStats.cameraConnections);
      connections.set({ of: 'strangers' }, connectionStats.strangers);
      turnedAway.reset();
      turnedAway.inc(connectionStats.turnedAway);
      free.set(await sources.freeBytes().catch(() => Number.NaN));
      footage.reset();
      sessions.reset();
      for (const camera of ids) {
        const used = sources.usage(camera);
        footage.set({ camera }, used.bytes);
        sessions.set({ camera }, used.sessions);
      }
      showUpdates(sources.updates?.());
      return register.metrics();
    },
  };
}
