import { isIP, type Socket } from 'node:net';
import { connect, type TLSSocket } from 'node:tls';
import { HostError } from './errors.ts';
import { connectTcp } from './tcp.ts';
import { CLASSICAL_GROUPS, TLS_PROFILE } from './tls-profile.ts';

/**
 * The only way to a server: TLS 1.3 to a peer whose certificate chain the caller's judge accepts.
 *
 * Node's own verdict is not asked: with a wrong clock it reports the date only and hides a forged
 * signature. `getPeerX509Certificate()` gives the chain exactly as it was sent, certificates that belong
 * to no other included (`getPeerCertificate(true)` leaves those out).
 *
 * The peer learns the client certificate in the handshake, before the verdict; not one byte of
 * application data leaves before it.
 */

/** The caller's verdict over the DER certificates, the peer's own first. */
export type ChainJudge = (
  chain: readonly Uint8Array[],
) =>
  | { readonly verdict: 'accepted' }
  | { readonly verdict: 'refused'; readonly code: string; readonly message: string };

export interface DialOptions {
  /** DNS name or IP address to connect to. */
  readonly host: string;
  readonly port: number;
  /** Server name indication; not sent for an IP address (RFC 6066 section 3). */
  readonly servername: string;
  /** The client's private key, PEM; without it the client shows no certificate. */
  readonly key?: string | undefined;
  /** The client's certificate chain, PEM. */
  readonly cert?: string | undefined;
  /** The one protocol to agree on (RFC 7301). */
  readonly alpn: string;
  readonly judge: ChainJudge;
  /** For everything from resolving the name to the verdict. */
  readonly timeoutMs: number;
  /** Which key share is offered: `hybrid` unless said otherwise. */
  readonly keyShare?: KeyShare | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * The key share of the ClientHello. `hybrid` offers X25519MLKEM768, whose 1,216 bytes make a ClientHello of more than one
 * TCP segment; `classical` X25519 alone, which fits into one.
 */
export type KeyShare = 'hybrid' | 'classical';

/** The TCP connection stood, and the peer sent not one byte in answer to the ClientHello: DIAL_TLS or DIAL_TIMEOUT. */
export class Unanswered extends HostError {}

/** A peer that answered but is not to be talked to: DIAL_REFUSED, with the judge's code or one of ours. */
export class DialRefusal extends HostError {
  readonly reason: string;

  constructor(reason: string, message: string, cause?: unknown) {
    super('DIAL_REFUSED', `${reason}: ${message}`, cause);
    this.reason = reason;
  }
}

const KEEPALIVE_MS = 15_000;
/** A longer chain is passed on cut to this length, which every judge refuses. */
const MAX_CHAIN_LENGTH = 16;

/**
 * Connects. The socket is handed over only once the judge has accepted the chain.
 * @throws HostError DIAL_RESOLVE, DIAL_CONNECT, DIAL_TLS, DIAL_TIMEOUT; Unanswered; DialRefusal; the signal's reason.
 */
export async function dial(options: DialOptions): Promise<TLSSocket> {
  const { host, port, timeoutMs, signal } = options;
  signal?.throwIfAborted();
  const deadline = new AbortController();
  const timeout = new HostError('DIAL_TIMEOUT', `no verdict within ${timeoutMs} ms`);
  const timer = setTimeout(() => deadline.abort(timeout), timeoutMs);
  const onAbort = () => deadline.abort(signal?.reason);
  signal?.addEventListener('abort', onAbort, { once: true });
  try {
    const tcp = await connectTcp({ host, port, signal: deadline.signal });
    return await handshake(tcp, options, deadline.signal);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', onAbort);
  }
}

function handshake(
  tcp: Socket,
  { servername, key, cert, alpn, judge, keyShare = 'hybrid' }: DialOptions,
  deadline: AbortSignal,
): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = connect({
      socket: tcp,
      servername: isIP(servername) ? '' : servername,
      ...(key !== undefined && cert !== undefined && { key, cert }),
      // No store of public CAs: the judge alone decides, and loading one costs memory and time.
      ca: [],
      rejectUnauthorized: false,
      checkServerIdentity: () => undefined,
      ALPNProtocols: [alpn],
      ...TLS_PROFILE,
      ...(keyShare === 'classical' && { ecdhCurve: CLASSICAL_GROUPS }),
    });
    const release = () => {
      deadline.removeEventListener('abort', onAbort);
      socket.off('error', onError).off('close', onClose);
    };
    const fail = (error: unknown) => {
      const unanswered = tcp.bytesRead === 0;
      release();
      socket.destroy();
      reject(unanswered ? asUnanswered(error) : error);
    };
    const onError = (cause: Error & { code?: string }) =>
      fail(new HostError('DIAL_TLS', `TLS handshake failed: ${cause.code ?? cause.message}`, cause));
    const onClose = () => fail(new HostError('DIAL_TLS', 'the peer closed the connection in the handshake'));
    const onAbort = () => fail(deadline.reason);
    deadline.addEventListener('abort', onAbort, { once: true });
    // The peer may refuse our certificate in the very turn in which the handshake ends: without a listener
    // that error would end the process before the new owner has put up its own. It sees a destroyed socket.
    socket.on('error', () => undefined);
    socket
      .on('error', onError)
      .on('close', onClose)
      .once('secureConnect', () => {
        const refusal = refusalOf(socket, alpn, judge);
        if (refusal) {
          fail(refusal);
          return;
        }
        release();
        socket.setNoDelay(true);
        socket.setKeepAlive(true, KEEPALIVE_MS);
        resolve(socket);
      });
  });
}

/** A failure of the handshake as Unanswered; the caller's own reason to give up stays as it is. */
function asUnanswered(error: unknown): unknown {
  if (!(error instanceof HostError)) return error;
  return new Unanswered(error.code, `${error.message}, without an answer to the ClientHello`, error.cause);
}

function refusalOf(socket: TLSSocket, alpn: string, judge: ChainJudge): DialRefusal | undefined {
  // A resumed session carries no certificates to judge. None is ever offered; this is the second lock.
  if (socket.isSessionReused()) return new DialRefusal('SESSION_RESUMED', 'the session was resumed');
  try {
    const verdict = judge(chainOf(socket));
    if (verdict.verdict === 'refused') return new DialRefusal(verdict.code, verdict.message);
  } catch (cause) {
    return new DialRefusal('JUDGE_FAILED', 'the chain could not be judged', cause);
  }
  if (socket.alpnProtocol !== alpn) {
    return new DialRefusal('ALPN_MISMATCH', `the peer does not speak ${alpn}`);
  }
  return undefined;
}

function chainOf(socket: TLSSocket): Uint8Array[] {
  const chain: Uint8Array[] = [];
  let certificate = socket.getPeerX509Certificate();
  while (certificate && chain.length < MAX_CHAIN_LENGTH) {
    chain.push(certificate.raw);
    certificate = certificate.issuerCertificate;
  }
  return chain;
}
