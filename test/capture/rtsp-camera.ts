import { type ChildProcess, spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { until } from './line.ts';

/** An RTSP 1.0 camera (RFC 2326) that asks for Basic credentials and plays a clip over and over, TCP only. */
export interface RtspCamera {
  port: number;
  /** Requests seen, as `METHOD authorised`. */
  requests: string[];
  /** Stops sending without closing anything, or goes on. */
  mute(muted: boolean): void;
  /** From its so manieth description on (the first is 1), it sends whoever asks to another URL. */
  redirect(to: string, from: number): void;
  close(): Promise<void>;
}

/** @param credentials `user:password`, decoded */
export async function openRtspCamera(dir: string, clip: string, credentials: string): Promise<RtspCamera> {
  const sdpPath = join(dir, 'camera.sdp');
  const rtp = createSocket('udp4');
  rtp.bind(0, '127.0.0.1');
  await once(rtp, 'listening');
  const packetiser = spawnPacketiser(clip, rtp.address().port, sdpPath);
  const playing = new Set<Socket>();
  const open = new Set<Socket>();
  const requests: string[] = [];
  let muted = false;
  let redirect = { to: '', from: Number.POSITIVE_INFINITY };
  let described = 0;

  rtp.on('message', (packet) => {
    for (const socket of muted ? [] : playing) {
      socket.write(interleaved(packet));
    }
  });
  const server = createServer((socket) => {
    open.add(socket);
    let text = '';
    const forget = () => {
      open.delete(socket);
      playing.delete(socket);
    };
    socket.on('close', forget).on('error', forget);
    socket.on('data', (data) => {
      text += data.toString('latin1');
      for (let end = text.indexOf('\r\n\r\n'); end !== -1; end = text.indexOf('\r\n\r\n')) {
        const request = text.slice(0, end);
        text = text.slice(end + 4);
        const authorised = isAuthorised(request, credentials);
        const [method = ''] = request.split(' ', 1);
        requests.push(`${method} ${authorised}`);
        if (method === 'DESCRIBE' && authorised) described += 1;
        const elsewhere = method === 'DESCRIBE' && described >= redirect.from ? redirect.to : undefined;
        socket.write(answer(method, request, authorised, sdpPath, elsewhere));
        if (method === 'PLAY' && authorised) {
          playing.add(socket);
        }
      }
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  await until('the camera describes itself', () => existsSync(sdpPath) && readFileSync(sdpPath).length > 0);

  return {
    port: (server.address() as AddressInfo).port,
    requests,
    mute(quiet) {
      muted = quiet;
    },
    redirect(to, from) {
      redirect = { to, from };
      described = 0;
    },
    async close() {
      packetiser.kill('SIGKILL');
      await once(packetiser, 'close');
      rtp.close();
      for (const socket of open) {
        socket.destroy();
      }
      server.close();
    },
  };
}

function spawnPacketiser(clip: string, port: number, sdpPath: string): ChildProcess {
  const input = ['-re', '-stream_loop', '-1', '-i', clip, '-map', '0:v:0', '-c', 'copy'];
  const output = [
    '-f',
    'rtp',
    '-sdp_file',
    sdpPath,
    `rtp://127.0.0.1:${port}?rtcpport=${port}&pkt_size=1200`,
  ];
  return spawn('ffmpeg', ['-hide_banner', '-loglevel', 'error', '-nostdin', ...input, ...output], {
    stdio: 'ignore',
  });
}

/** RFC 2326, section 10.12: `$`, channel, length, packet. */
function interleaved(packet: Buffer): Buffer {
  const header = Buffer.alloc(4);
  header.write('$');
  // RFC 5761, section 4: payload types 72 to 76 are RTCP.
  header.writeUInt8(((packet[1] ?? 0) & 0x7f) >= 72 && ((packet[1] ?? 0) & 0x7f) <= 76 ? 1 : 0, 1);
  header.writeUInt16BE(packet.length, 2);
  return Buffer.concat([header, packet]);
}

function isAuthorised(request: string, credentials: string): boolean {
  return request.includes(`Authorization: Basic ${Buffer.from(credentials).toString('base64')}`);
}

function answer(
  method: string,
  request: string,
  authorised: boolean,
  sdpPath: string,
  elsewhere: string | undefined,
): string {
  const sequence = /^CSeq: (\d+)/im.exec(request)?.[1] ?? '0';
  const respond = (status: string, headers: string[], body = '') =>
    [`RTSP/1.0 ${status}`, `CSeq: ${sequence}`, ...headers, `Content-Length: ${body.length}`, '', body].join(
      '\r\n',
    );
  if (method === 'OPTIONS') {
    return respond('200 OK', ['Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN']);
  }
  if (!authorised) {
    return respond('401 Unauthorized', ['WWW-Authenticate: Basic realm="camera"']);
  }
  switch (method) {
    case 'DESCRIBE': {
      if (elsewhere !== undefined) return respond('302 Moved Temporarily', [`Location: ${elsewhere}`]);
      const sdp = `${readFileSync(sdpPath, 'latin1')
        .replace(/^SDP:\s*/, '')
        .trim()}\r\na=control:video\r\n`;
      return respond('200 OK', ['Content-Type: application/sdp'], sdp);
    }
    case 'SETUP':
      return /Transport: RTP\/AVP\/TCP/.test(request)
        ? respond('200 OK', ['Transport: RTP/AVP/TCP;unicast;interleaved=0-1', 'Session: 1;timeout=60'])
        : respond('461 Unsupported transport', []);
    default:
      return respond('200 OK', ['Session: 1']);
  }
}
