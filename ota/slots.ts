import { chmod } from 'node:fs/promises';
import { join } from 'node:path';
import { readFileBounded, writeFileAtomic } from '../host/atomic-file.ts';
import type { Disk } from '../host/disk.ts';
import type { Bundle } from './bundle.ts';
import type { Incoming } from './bundle-source.ts';
import { OtaError } from './errors.ts';
import { judgeStaging } from './slot-rules.ts';
import {
  addOutcome,
  firstState,
  MAX_STATE_BYTES,
  otherSlot,
  parseSlotState,
  type ReleaseName,
  type SlotName,
  type SlotState,
  writeSlotState,
} from './slot-state.ts';
import { advance, releaseIn, type SlotEvent, slotToRun } from './slot-transitions.ts';
import { fillSlot, prepareSlot, type SlotWriter } from './slot-writer.ts';
import { type BundleTrust, type VerifiedBundle, verifyBundle, verifyDocuments } from './verify-bundle.ts';

/**
 * The two slots of a camera, `a` and `b`, and the state that says what they hold, in a directory that belongs to the
 * launcher alone. Each change of the state is durable before what it stands for is done.
 */

export const STATE_FILE = 'state.json';
/** Laid down by whoever wants the release before back; taken and removed. */
export const ROLLBACK_FILE = 'rollback';
const STATE_MODE = 0o644;

export interface SlotsOptions {
  readonly disk: Disk;
  readonly directory: string;
  readonly trust: Omit<BundleTrust, 'keysCounter'>;
  readonly chmod?: SlotWriter['chmod'];
}

/** A slot that may be run, as it was when it was looked at just now. */
export interface WholeSlot {
  readonly slot: SlotName;
  readonly directory: string;
  readonly bundle: Bundle;
}

export class Slots {
  readonly #options: SlotsOptions;
  #state: SlotState;

  private constructor(options: SlotsOptions, state: SlotState) {
    this.#options = options;
    this.#state = state;
  }

  /**
   * Reads the state. One that cannot be read is made anew from the slots: of two that are whole the older is the one
   * that was confirmed, and nothing older than it may come. A disk that does not take what was made anew is asked again
   * with the next change.
   * @throws OtaError SLOTS_MALFORMED when neither slot is whole; HostError.
   */
  static async open(options: SlotsOptions): Promise<Slots> {
    const bytes = await readFileBounded(options.disk, join(options.directory, STATE_FILE), MAX_STATE_BYTES);
    const known = bytes === undefined ? undefined : readable(bytes);
    if (known !== undefined) return new Slots(options, known);
    const state = await stateOfSlots(options);
    const slots = new Slots(options, state);
    await slots.#keep(state).catch(() => undefined);
    return slots;
  }

  /** Puts the first release into slot a, on a camera that is being flashed. @throws as stage. */
  static async install(options: SlotsOptions, incoming: Incoming): Promise<Slots> {
    const documents = await incoming.documents();
    const { bundle, keys } = await verifyDocuments(documents, { ...options.trust, keysCounter: 0 });
    const { version, counter } = bundle;
    const slots = new Slots(options, firstState('a', { version, counter }, keys.counter));
    await fillSlot(
      slots.#writer,
      slots.directoryOf('a'),
      { bundle, documents, incoming },
      slots.directoryOf('b'),
    );
    await slots.#keep(slots.#state);
    return slots;
  }

  get state(): SlotState {
    return this.#state;
  }

  directoryOf(slot: SlotName): string {
    return join(this.#options.directory, slot);
  }

  /** @throws OtaError SLOTS_TRANSITION; HostError, and the event has not come about. */
  async advance(event: SlotEvent): Promise<void> {
    await this.change((state) => advance(state, event));
  }

  /** @throws HostError, and nothing has changed. */
  async change(change: (state: SlotState) => SlotState): Promise<void> {
    const next = change(this.#state);
    if (next !== this.#state) await this.#keep(next);
  }

  /**
   * As change, but on a disk that takes no more it holds at least until the next start: for what the camera is safe with
   * if it is forgotten then.
   * @param onUnkept told why it is not durable.
   */
  async changeAnyway(
    change: (state: SlotState) => SlotState,
    onUnkept: (error: unknown) => void = () => undefined,
  ): Promise<void> {
    const next = change(this.#state);
    if (next === this.#state) return;
    await this.#keep(next).catch((error) => {
      this.#state = next;
      onUnkept(error);
    });
  }

  /** Takes a wish for the release before, if one was laid down. @throws HostError. */
  takeRollback(): Promise<boolean> {
    return this.#options.disk.unlink(join(this.#options.directory, ROLLBACK_FILE));
  }

  /**
   * The slot to run, looked at byte by byte just now. One that is not as it was signed gives way to the other.
   * @param onAltered told of each, with the reason.
   * @returns undefined when there is none to run.
   */
  async choose(onAltered: (slot: SlotName, error: unknown) => void): Promise<WholeSlot | undefined> {
    for (;;) {
      const slot = slotToRun(this.#state);
      try {
        return await this.verify(slot);
      } catch (error) {
        onAltered(slot, error);
        const code = error instanceof OtaError ? error.code : 'SLOT_UNREADABLE';
        const next = advance(this.#state, { kind: 'altered', slot, code });
        if (slotToRun(next) === slot) return undefined;
        await this.changeAnyway(() => next);
      }
    }
  }

  /** @throws OtaError as verifyBundle, and SLOT_FOREIGN for another release than the state says. */
  async verify(slot: SlotName): Promise<WholeSlot> {
    const expected = releaseIn(this.#state, slot);
    const directory = this.directoryOf(slot);
    const { bundle } = await verifySlot(this.#options, directory);
    if (expected === null || !isRelease(bundle, expected)) {
      throw new OtaError('SLOT_FOREIGN', `slot ${slot} holds ${bundle.version}, which is not expected there`);
    }
    return { slot, directory, bundle };
  }

  /**
   * Puts a bundle into the slot that is not active, and on trial. What that slot held stays until the bundle is there.
   * @param filmed whether the release that runs films.
   * @throws OtaError STAGING_REFUSED, and as verifyDocuments and fillSlot; HostError. What is active is as before.
   */
  async stage(incoming: Incoming, filmed: boolean): Promise<Bundle> {
    const { trust } = this.#options;
    const documents = await incoming.documents();
    const { bundle, keys } = await verifyDocuments(documents, { ...trust, keysCounter: this.#state.keys });
    const { version, counter } = bundle;
    const judgement = judgeStaging(this.#state, bundle);
    if (judgement !== 'stage') throw new OtaError('STAGING_REFUSED', `${version}: ${judgement}`);
    const { active } = this.#state;
    const target = this.directoryOf(otherSlot(active));
    const filled = { bundle, documents, incoming };
    const replace = await prepareSlot(this.#writer, target, filled, this.directoryOf(active));
    await this.advance({ kind: 'staging' });
    await replace();
    await this.advance({ kind: 'staged', release: { version, counter }, filmed, keys: keys.counter });
    return bundle;
  }

  get #writer(): SlotWriter {
    return { disk: this.#options.disk, chmod: this.#options.chmod ?? chmod };
  }

  async #keep(state: SlotState): Promise<void> {
    const { disk, directory } = this.#options;
    await writeFileAtomic(disk, join(directory, STATE_FILE), writeSlotState(state), STATE_MODE);
    this.#state = state;
  }
}

function readable(bytes: Uint8Array): SlotState | undefined {
  try {
    return parseSlotState(bytes);
  } catch (error) {
    if (error instanceof OtaError) return undefined;
    throw error;
  }
}

/** What was once accepted stays so, though its key list may have been replaced since. */
function verifySlot({ trust }: SlotsOptions, directory: string): Promise<VerifiedBundle> {
  return verifyBundle(directory, { ...trust, keysCounter: 0 });
}

async function stateOfSlots(options: SlotsOptions): Promise<SlotState> {
  const found: { slot: SlotName; verified: VerifiedBundle }[] = [];
  for (const slot of ['a', 'b'] as const) {
    const verified = await verifySlot(options, join(options.directory, slot)).catch(() => undefined);
    if (verified !== undefined) found.push({ slot, verified });
  }
  const [oldest] = found.sort((a, b) => a.verified.bundle.counter - b.verified.bundle.counter);
  if (oldest === undefined) {
    const { directory, trust } = options;
    const anew = `oriel launcher install ${directory} BUNDLE --anchor FILE --root FILE --hardware ${trust.hardware}`;
    throw new OtaError(
      'SLOTS_MALFORMED',
      `${directory} holds no state and no whole slot: move it away, and put a release there anew: ${anew}`,
    );
  }
  const { slot, verified } = oldest;
  const { version, counter } = verified.bundle;
  const state = { ...firstState(slot, { version, counter }, verified.keys.counter), minimum: version };
  return addOutcome(state, { event: 'recovered', slot, release: { version, counter }, code: null });
}

function isRelease({ version, counter }: Bundle, expected: ReleaseName): boolean {
  return version === expected.version && counter === expected.counter;
}
