import { utf8 } from '../../crypto/bytes.ts';
import { CryptoError } from '../../crypto/errors.ts';
import { idText } from '../../crypto/header.ts';
import { pinText } from '../../crypto/pin.ts';
import {
  judgePins,
  type PinsVerdict,
  pinsOf,
  readPinStatement,
  readPinsLine,
  writePinsLine,
} from '../../crypto/pin-statement.ts';
import { nodePrimitives } from '../../crypto/primitives-node.ts';
import { writeFileAtomic } from '../../host/atomic-file.ts';
import type { Disk } from '../../host/disk.ts';
import { Mutex } from '../mutex.ts';
import type { CameraConfig, CameraDirectory } from '../state/camera-directory.ts';
import { CameraError } from '../state/errors.ts';
import { NEXT_PINS, type ObeyedPins, readObeyedPins } from '../state/pins-file.ts';

export interface PinnedServerOptions {
  readonly directory: CameraDirectory;
  readonly disk: Disk;
  readonly config: CameraConfig;
  /** The camera's id as text. */
  readonly camera: string;
  /** Its pairing epoch. */
  readonly epoch: () => number;
  /**
   * Takes the camera's certificate away, durably, and does `change` before it can get another: a certificate is good
   * for the server that gave it.
   */
  readonly withoutCertificate: (change: () => Promise<void>) => Promise<void>;
  /** It is another now. */
  readonly onChange: () => void;
}

/**
 * Whom the camera dials, and what it believes there: the server of its set-up, until a statement of its owner's says
 * otherwise; then that of the newest statement, for good.
 */
export class PinnedServer {
  readonly #options: PinnedServerOptions;
  readonly #taking = new Mutex();
  #obeyed: ObeyedPins | undefined;

  private constructor(options: PinnedServerOptions, obeyed: ObeyedPins | undefined) {
    this.#options = options;
    this.#obeyed = obeyed;
  }

  /** @throws CameraError CONFIG_MALFORMED; HostError. */
  static async open(options: PinnedServerOptions): Promise<PinnedServer> {
    const { directory, disk, config, camera } = options;
    const obeyed = await readObeyedPins(directory, disk, config.owner);
    if (obeyed !== undefined && idText(obeyed.camera) !== camera) {
      throw new CameraError('CONFIG_MALFORMED', `${directory.pins} is for another camera; ${NEXT_PINS}`);
    }
    return new PinnedServer(options, obeyed);
  }

  /** `https://HOST[:PORT]`. */
  get origin(): string {
    return this.#obeyed?.origin ?? this.#options.config.server.origin;
  }

  /** The active pin, and the backup if there is one, as text. */
  get pins(): string[] {
    return this.#obeyed === undefined ? this.#options.config.server.pins : pinsOf(this.#obeyed).map(pinText);
  }

  /** Of the statement obeyed; 0 while the server of the set-up counts. */
  get counter(): number {
    return this.#obeyed?.counter ?? 0;
  }

  /** Whether it has another address than that of the set-up. */
  get moved(): boolean {
    return this.origin !== this.#options.config.server.origin;
  }

  /**
   * Judges a statement's line, whoever brings it, and obeys what is new: from the moment at which that is durable, and
   * never again what was before.
   * @throws CryptoError PINS_…; HostError, and then nothing has changed.
   */
  take(line: string): Promise<'new' | 'same'> {
    return this.#taking.run(() => this.#take(line));
  }

  async #take(line: string): Promise<'new' | 'same'> {
    const { directory, disk, config, camera, epoch, withoutCertificate, onChange } = this.#options;
    const bytes = readPinsLine(line);
    const statement = await readPinStatement(bytes, config.owner, nodePrimitives);
    const verdict = judgePins({ camera, epoch: epoch(), obeyed: this.#obeyed }, statement, bytes);
    if (verdict === 'same') return verdict;
    if (verdict !== 'new') throw this.#refusal(verdict, statement.counter);
    await withoutCertificate(async () => {
      await writeFileAtomic(disk, directory.pins, utf8(`${writePinsLine(bytes)}\n`), 0o600);
      this.#obeyed = { ...statement, bytes };
    });
    onChange();
    return verdict;
  }

  #refusal(code: Exclude<PinsVerdict, 'new' | 'same'>, counter: number): CryptoError {
    return new CryptoError(code, `pin statement ${counter}: ${WHY[code]}; ${this.counter} is obeyed`);
  }
}

const WHY = {
  PINS_FOREIGN: 'it is for another camera',
  PINS_EPOCH: 'it is of another pairing of this camera',
  PINS_REPLAYED: 'it is older than the one obeyed',
  PINS_CONFLICT: 'it is another than the one of that number',
} as const;
