import { OtaError } from './errors.ts';

/** What may still come today, over all attempts and updates: see DayBudget. */
export interface DayAllowance {
  /** @param updateBytes what one update may take. */
  left(updateBytes: number): number;
  take(bytes: number): Promise<void>;
}

/** The bytes that all downloads of an update may take, and what is left of the day. */
export class FetchBudget {
  readonly #day: DayAllowance | undefined;
  readonly #limit: number;
  /** Whether the day ends before the update's own bytes do. */
  readonly #isDays: boolean;
  #taken = 0;

  /**
   * @param bytes what these downloads may take. @param day without it no day has an end.
   * @param updateBytes what one update may take, by which a day's bytes are measured.
   */
  constructor(bytes: number, day?: DayAllowance, updateBytes = bytes) {
    const today = day?.left(updateBytes) ?? bytes;
    this.#day = day;
    this.#isDays = today < bytes;
    this.#limit = Math.min(bytes, today);
  }

  /** Bytes that came. */
  get taken(): number {
    return this.#taken;
  }

  /** Before anything is asked for. @throws OtaError FETCH_DAY. */
  begin(): void {
    if (this.#isDays && this.#taken >= this.#limit) throw dayIsOver();
  }

  /** Takes note of bytes that came. @throws OtaError FETCH_BUDGET, FETCH_DAY; HostError as DayBudget.take. */
  async take(bytes: number): Promise<void> {
    this.#taken += bytes;
    await this.#day?.take(bytes);
    if (this.#taken <= this.#limit) return;
    throw this.#isDays ? dayIsOver() : new OtaError('FETCH_BUDGET', 'more came than this update may take');
  }
}

const dayIsOver = () =>
  new OtaError(
    'FETCH_DAY',
    'the bytes for updates of this day are used up: it goes on after a day of running time',
  );
