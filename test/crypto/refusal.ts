import type { CryptoErrorCode } from '../../crypto/errors.ts';

/** The code with which work is refused; undefined when it is not. A throw of anything else is passed on. */
export async function refusalOf(work: () => unknown): Promise<CryptoErrorCode | undefined> {
  try {
    await work();
    return undefined;
  } catch (error) {
    const { name, code } = error as { name: string; code: CryptoErrorCode };
    if (name !== 'CryptoError') throw error;
    return code;
  }
}
