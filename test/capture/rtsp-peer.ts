import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type TlsOptions } from 'node:tls';

/** What is asked of an RTSP 1.0 peer (RFC 2326): method, URL and whole head of the request. */
export interface RtspRequest {
  readonly method: string;
  readonly url: string;
  readonly head: string;
}

export interface RtspAnswer {
  /** Code and reason, as in `404 Not Found`. */
  readonly status: string;
  /** RTSP/1.0 unless given. */
  readonly protocol?: string;
  readonly headers?: readonly string[];
  readonly body?: string;
}

/** A peer that answers RTSP requests, and hangs up when it is to send video. */
export interface RtspPeer {
  readonly port: number;
  readonly requests: readonly RtspRequest[];
  close(): void;
}

/** One track of H.264, as a camera describes itself (RFC 4566, RFC 6184). */
const DESCRIPTION = [
  ...['v=0', 'o=- 1 1 IN IP4 127.0.0.1', 's=camera', 'c=IN IP4 0.0.0.0', 't=0 0', 'a=control:*'],
  ...['m=video 0 RTP/AVP 96', 'a=rtpmap:96 H264/90000', 'a=control:track0', ''],
].join('\r\n');

/**
 * @param answer what it says to a request; undefined: what a camera says that serves it; `silent`: nothing.
 * @param tls its key and certificate, where it speaks TLS; null where it speaks plainly.
 */
export async function openRtspPeer(
  answer: (request: RtspRequest) => RtspAnswer | 'silent' | undefined,
  { tls = null, host = '127.0.0.1' }: { tls?: TlsOptions | null; host?: string } = {},
): Promise<RtspPeer> {
  const requests: RtspRequest[] = [];
  const open = new Set<Socket>();
  const serve = (socket: Socket) => {
    open.add(socket);
    socket.on('close', () => open.delete(socket)).on('error', () => socket.destroy());
    let text = '';
    socket.on('data', (data) => {
      text += data.toString('latin1');
      for (let end = text.indexOf('\r\n\r\n'); end !== -1; end = text.indexOf('\r\n\r\n')) {
        const head = text.slice(0, end);
        text = text.slice(end + 4);
        const [method = '', url = ''] = head.split(' ', 2);
        const request = { method, url, head };
        requests.push(request);
        const said = answer(request) ?? served(request);
        if (said !== 'silent') socket.write(encoded(request, said));
        // Nobody waits for video.
        if (method === 'PLAY') socket.end();
      }
    });
  };
  const server: Server = tls === null ? createServer(serve) : createTlsServer(tls, serve);
  server.on('tlsClientError', () => undefined);
  await once(server.listen(0, host), 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    requests,
    close() {
      for (const socket of open) socket.destroy();
      server.close();
    },
  };
}

function served({ method, url }: RtspRequest): RtspAnswer {
  switch (method) {
    case 'OPTIONS':
      return { status: '200 OK', headers: ['Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN'] };
    case 'DESCRIBE':
      return {
        status: '200 OK',
        headers: [`Content-Base: ${url}/`, 'Content-Type: application/sdp'],
        body: DESCRIPTION,
      };
    case 'SETUP':
      return {
        status: '200 OK',
        headers: ['Transport: RTP/AVP/TCP;unicast;interleaved=0-1', 'Session: 1;timeout=60'],
      };
    default:
      return { status: '200 OK', headers: ['Session: 1'] };
  }
}

function encoded(
  { head }: RtspRequest,
  { status, protocol = 'RTSP/1.0', headers = [], body = '' }: RtspAnswer,
): string {
  const [, sequence = '0'] = /^CSeq: *(\d+)/im.exec(head) ?? [];
  const length = body === '' ? [] : [`Content-Length: ${body.length}`];
  return [`${protocol} ${status}`, `CSeq: ${sequence}`, ...headers, ...length, '', body].join('\r\n');
}
