import { AddressThrottle, type ThrottleRules } from '../http/address-throttle.ts';

export const THROTTLE_RULES: ThrottleRules = {
  perAddress: { burst: 10, refillMs: 6_000 },
  inAll: { burst: 100, refillMs: 600 },
};

/**
 * Counts wrong claim tokens, of an address and in all. A right token never asks here: at 128 bits no rate of guessing
 * finds one, so that what is bounded is noise, and nobody's guesses can keep an honest camera out.
 */
export class ClaimThrottle {
  readonly #throttle: AddressThrottle;

  /** @param monotonic ms, as Clock.monotonic. */
  constructor(monotonic: () => number, rules = THROTTLE_RULES) {
    this.#throttle = new AddressThrottle(monotonic, rules);
  }

  /** A wrong token came. How long its sender is to wait, ms; 0 while it is told that the token was wrong. */
  wrong(address: string | undefined): number {
    return this.#throttle.take(address);
  }
}
