import { signUpdateReport } from '../../crypto/update-report.ts';
import type { Disk } from '../../host/disk.ts';
import type { Installation } from '../../ota/installation.ts';
import type { Outcome } from '../../ota/slot-state.ts';
import { REPORTS_PATH } from '../../wire/updates.ts';
import { Connection } from '../client/connection.ts';
import type { ServerDial } from '../client/dial.ts';
import { requestBody } from '../client/request.ts';
import type { CameraClock } from '../clock/camera-clock.ts';
import { type AgentLog, errorFields } from '../log.ts';
import type { DeviceKey } from '../state/device-key.ts';
import { reportDelayMs } from './install-rules.ts';
import { readSlotState } from './own-slot.ts';

export interface ReportsOptions {
  readonly installation: Installation;
  readonly device: DeviceKey;
  readonly server: ServerDial;
  readonly certificate: () => string | undefined;
  readonly disk: Disk;
  readonly clock: CameraClock;
  readonly random: () => number;
  readonly logger: AgentLog;
}

const ANSWER_MS = 30_000;

/**
 * Tells the server what became of releases, as the launcher has written it down. The launcher keeps what is not delivered;
 * this agent only tells it how far it has come.
 */
export class Reports {
  readonly #options: ReportsOptions;
  readonly #connection: Connection;
  #delivered = 0;

  constructor(options: ReportsOptions) {
    const { server, certificate, logger } = options;
    this.#options = options;
    this.#connection = new Connection(
      server.dialWith(certificate),
      () => server.authority,
      () => undefined,
      logger,
    );
  }

  /** Number of the newest that the server has. */
  get delivered(): number {
    return this.#delivered;
  }

  /** Works until the signal aborts; never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, random, certificate, logger } = this.#options;
    signal.addEventListener('abort', () => this.#connection.end(), { once: true });
    for (let failures = 0; !signal.aborted; ) {
      if (certificate() !== undefined) {
        try {
          await this.#deliver();
          failures = 0;
        } catch (error) {
          failures += 1;
          if (!signal.aborted) logger.warn(errorFields(error), 'update reports not delivered');
        }
        this.#connection.close();
      }
      await clock.sleep(reportDelayMs(failures, random()), signal).catch(() => undefined);
    }
  }

  async #deliver(): Promise<void> {
    const { disk, installation } = this.#options;
    const { outcomes } = await readSlotState(disk, installation);
    for (const outcome of outcomes.filter(({ number }) => number > this.#delivered)) {
      const body = this.#sign(outcome);
      await requestBody(this.#connection, {
        method: 'POST',
        path: REPORTS_PATH,
        headers: { 'content-type': 'application/octet-stream' },
        body,
        maxBytes: 0,
        timeoutMs: ANSWER_MS,
      });
      this.#delivered = outcome.number;
    }
  }

  #sign({ number, event, slot, release, code }: Outcome): Uint8Array {
    const { device, clock } = this.#options;
    const report = {
      camera: device.cameraId,
      number,
      timeMs: Math.max(0, Math.floor(clock.now())),
      event,
      slot,
      counter: release?.counter ?? 0,
      version: release?.version ?? '',
      code: code ?? '',
    };
    return signUpdateReport(report, device.signer);
  }
}
