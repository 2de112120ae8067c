import { promises as dns, type LookupAddress } from 'node:dns';
import { connect, type Socket } from 'node:net';
import { HostError } from './errors.ts';

/**
 * TCP to the first address of a name that answers (RFC 8305, Happy Eyeballs). Attempts begin one after another and none
 * is given up for the next: Node's own `autoSelectFamily` ends each attempt after 250 ms, which on a line whose
 * handshake takes longer leaves only the last address, dead or not.
 */

export interface TcpOptions {
  /** DNS name or IP address. */
  readonly host: string;
  readonly port: number;
  /** Ends every attempt; the promise rejects with its reason. */
  readonly signal: AbortSignal;
  /** All addresses of a name, in the order in which the system prefers them (RFC 6724). */
  readonly lookup?: (host: string) => Promise<readonly LookupAddress[]>;
}

/** How long an attempt has to itself before the next begins (RFC 8305 section 5). */
export const ATTEMPT_DELAY_MS = 250;
/** Of a name that has more, the rest are left out: who answers for a name decides how many there are. */
export const MAX_ADDRESSES = 16;

const systemLookup = (host: string) => dns.lookup(host, { all: true, order: 'verbatim' });

/**
 * @returns a connected socket; its caller puts up its listeners in the same turn.
 * @throws HostError DIAL_RESOLVE, DIAL_CONNECT (cause: what the first address answered); the signal's reason.
 */
export async function connectTcp(options: TcpOptions): Promise<Socket> {
  const { host, signal, lookup = systemLookup } = options;
  signal.throwIfAborted();
  const found = await untilAborted(
    lookup(host).catch((cause: { code?: string }) => {
      throw new HostError('DIAL_RESOLVE', `no such host: ${cause.code}`, cause);
    }),
    signal,
  );
  return race(alternate(found).slice(0, MAX_ADDRESSES), options);
}

/** The addresses with the two families in turn, the preferred one first (RFC 8305 section 4). */
export function alternate(addresses: readonly LookupAddress[]): LookupAddress[] {
  const first = addresses.filter(({ family }) => family === addresses[0]?.family);
  const second = addresses.filter(({ family }) => family !== addresses[0]?.family);
  return Array.from({ length: Math.max(first.length, second.length) }, (_, index) => [
    ...first.slice(index, index + 1),
    ...second.slice(index, index + 1),
  ]).flat();
}

function race(addresses: readonly LookupAddress[], { port, signal }: TcpOptions): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const attempts = new Set<Socket>();
    const waiting = [...addresses];
    let failure: (Error & { code?: string }) | undefined;
    let timer: NodeJS.Timeout | undefined;
    const settle = (winner?: Socket) => {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
      for (const socket of attempts) if (socket !== winner) socket.destroy();
    };
    const onAbort = () => {
      settle();
      reject(signal.reason);
    };
    const next = () => {
      clearTimeout(timer);
      const address = waiting.shift();
      if (address !== undefined) {
        attempt(address);
        if (waiting.length > 0) timer = setTimeout(next, ATTEMPT_DELAY_MS);
      } else if (attempts.size === 0) {
        settle();
        const why = failure?.code ?? 'the name has no address';
        reject(new HostError('DIAL_CONNECT', `cannot connect: ${why}`, failure));
      }
    };
    const attempt = ({ address, family }: LookupAddress) => {
      const socket = connect({ host: address, port, family });
      attempts.add(socket);
      const onError = (error: Error) => {
        failure ??= error;
        attempts.delete(socket);
        next();
      };
      socket.once('error', onError).once('connect', () => {
        socket.off('error', onError);
        settle(socket);
        resolve(socket);
      });
      // One that is given up may still report an error.
      socket.on('error', () => undefined);
    };
    signal.addEventListener('abort', onAbort, { once: true });
    next();
  });
}

/** The promise's outcome, unless the signal aborts before it. */
function untilAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}
